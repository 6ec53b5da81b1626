package main

// The colours used, as SGR parameters (ECMA-48).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// painter returns a function that colours text, or leaves it.
func painter(color bool) painterFunc {
	return func(sgr, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + sgr + "m" + text + "\x1b[0m"
	}
}

type painterFunc func(sgr, text string) string
