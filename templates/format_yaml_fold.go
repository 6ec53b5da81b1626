package templates

import "math"

// A plain scalar goes on in the next line if that is indented by more than
// what the scalar hangs on (YAML 1.2.2, section 7.3.3), within brackets
// wherever it begins. Then a quote, a dash and the rest of a line have another
// meaning than a line above says, and no value can be escaped for both: a
// value in a plain scalar of several lines is refused with its template.

// noFold says that no plain scalar goes on.
const noFold = math.MaxInt

// A plain is what is known of the plain scalar at hand, a set.
type plain uint8

const (
	plainValue plain = 1 << iota // a value stands in it
	plainLines                   // it has gone on over a line's end
	plainDoubt                   // branches differ in what it hangs on, or whether there is one
	plainNext                    // branches differ, and by some it goes on here
	plainNear                    // branches differ, and by some it goes on here if a blank is first
)

const severalLines = "inside a plain scalar that runs over several lines: quote it, or write a block scalar (| or >)"

// goesOn reports whether a character that is not blank may be the first of a
// further line of a plain scalar.
func goesOn(c context) bool {
	return c.state == ymLine && c.col > c.fold || c.plain&plainNext != 0
}

// further returns the context at the first character of a further line, or
// the value there.
func further(c context, value bool) context {
	doubt := c.plain&(plainDoubt|plainNext) != 0
	switch {
	case c.plain&plainValue != 0, value && !doubt:
		return context{state: barred, word: severalLines}
	case doubt:
		return context{state: lost, word: "a line may go on with the plain scalar before it or not, which branches decide; quote that scalar"}
	}
	c.state = ymMid
	c.plain |= plainLines
	return c
}

// inPlain returns the context after a character of a plain scalar at c.
func inPlain(c context) context {
	at := hangYAML(c)
	if c.depth > 0 {
		at = -1
	}
	c.state, c.fold = ymMid, min(c.fold, at)
	c.plain &^= plainNear
	return c
}

// ended returns c where no plain scalar is at hand.
func ended(c context) context {
	c.fold, c.plain = noFold, 0
	return c
}

// valueInPlain returns the context after a value outside quotes at c.
func valueInPlain(c context) context {
	if goesOn(c) || c.plain&plainLines != 0 {
		return further(c, true)
	}
	if c.state == ymLine {
		c = ended(c)
	}
	c = inPlain(c)
	c.plain |= plainValue
	return c
}

// afterRawYAML returns the context after text at c that may be anything: a
// scalar, or lines of keys.
func afterRawYAML(c context) context {
	switch {
	case c.state > ymClosed:
		c, _ = afterYAML(c)
		return c
	case goesOn(c):
		return further(c, false)
	case c.plain&plainLines == 0:
		c = ended(c)
	}
	c.state = ymMid
	return c
}

// joinFolds makes what is known of plain scalars in a and b the same.
func joinFolds(a, b *context) {
	if a.state != b.state { // a line's end behind a colon ends the scalar: it is a key
		for _, c := range []*context{a, b} {
			if c.state == ymColon {
				c.fold = noFold
			}
		}
	}
	p := a.plain | b.plain
	if a.fold != b.fold {
		p |= plainDoubt
	}
	if a.state != b.state || a.col != b.col {
		p |= atLine(*a) | atLine(*b)
	}
	a.fold, b.fold = min(a.fold, b.fold), min(a.fold, b.fold)
	a.plain, b.plain = p, p
}

// atLine says what becomes of a plain scalar that may go on in the line that
// c is at the beginning of.
func atLine(c context) plain {
	switch {
	case c.state != ymLine || c.fold == noFold:
		return 0
	case goesOn(c):
		return plainNext
	}
	return plainNear
}
