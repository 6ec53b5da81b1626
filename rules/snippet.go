package rules

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

const snippetWidth = 100 // characters of a source line that are shown

// snippet returns the line of src at which r begins and, below it, a marker
// under the part that r covers. It is empty when r is not in src.
func snippet(src []byte, r hcl.Range) string {
	line, offset, ok := sourceLine(src, r.Start.Byte)
	if !ok {
		return ""
	}
	start, end := r.Start.Byte-offset, len(line)
	if r.End.Line == r.Start.Line {
		end = r.End.Byte - offset
	}
	start = min(max(start, 0), len(line))
	end = min(max(end, start), len(line))
	before, marked, after := shown(line[:start]), shown(line[start:end]), shown(line[end:])
	width := max(len(marked), 1)
	if over := len(before) + width - snippetWidth; over > 0 && len(before) > 20 {
		cut := min(over, len(before)-20)
		before = append([]rune("…"), before[cut:]...)
	}
	text := append(append(before[:len(before):len(before)], marked...), after...)
	if len(text) > snippetWidth {
		text = append(text[:snippetWidth:snippetWidth], '…')
	}
	width = max(min(width, snippetWidth-len(before)), 1)
	return string(text) + "\n" + strings.Repeat(" ", len(before)) + strings.Repeat("^", width)
}

// Snippet returns line as a Problem shows it, with a marker under the column,
// counted in bytes from 1.
func Snippet(line string, column int) string {
	at := min(max(column-1, 0), len(line))
	pos := hcl.Pos{Line: 1, Byte: at}
	return snippet([]byte(line), hcl.Range{Start: pos, End: pos})
}

// shown returns b as it is safe to show: tabs as spaces, nothing that moves
// a terminal's cursor.
func shown(b []byte) []rune {
	var out []rune
	for _, r := range string(b) {
		switch {
		case r == '\t':
			out = append(out, ' ', ' ')
		case unicode.IsPrint(r):
			out = append(out, r)
		default:
			out = append(out, '�')
		}
	}
	return out
}

// sourceLine returns the line of src around an offset, without its end, and
// where it begins.
func sourceLine(src []byte, offset int) (line []byte, start int, ok bool) {
	if src == nil || offset < 0 || offset > len(src) {
		return nil, 0, false
	}
	start = bytes.LastIndexByte(src[:offset], '\n') + 1
	line, _, _ = bytes.Cut(src[start:], []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), start, true
}

// strayTemplate returns a further remedy where d may come from nginx's or a
// shell's own ${…} or %{…}, which HCL takes for its own.
func strayTemplate(d *hcl.Diagnostic, src []byte) string {
	if strings.Contains(d.Detail, "$${") || !strings.Contains(d.Summary, "emplate") && !strings.Contains(d.Summary, "nterpolation") &&
		!strings.Contains(d.Summary, "xpression") && !strings.Contains(d.Summary, "character") {
		return ""
	}
	line, _, _ := sourceLine(src, d.Subject.Start.Byte)
	for _, mark := range []string{"${", "%{"} {
		if bytes.Contains(line, []byte(mark)) {
			return "\nIf `" + mark + "…}` is text for nginx, a shell or another program, write `" + mark[:1] + mark + "…}`."
		}
	}
	return ""
}
