package templates

// Text is any other line-oriented file: nothing is known of it but that a
// value must not begin a line of its own or be other than it looks.
func textGrammar() *grammar {
	return &grammar{
		scan:  func(c context, _ string) context { return c },
		after: func(c context) (context, string) { return c, "" },
		print: printText,
		where: func(context) string { return "in text" },
	}
}

func printText(dst []byte, _ spot, v *value) ([]byte, string) {
	if v.kind == isNull {
		return dst, "there is no value"
	}
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	return append(dst, s...), inLine(s, "in text")
}
