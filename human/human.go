// Package human puts texts, counts and sizes as people are told them.
//
// Which characters of a text may be shown is for whoever shows it: a log, a
// terminal and a page obey different ones.
package human

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Clip shortens s to n bytes, of whole characters, and says with "…" that there
// was more.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for ; n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "…"
}

// Count is a number of things, whose name takes an s: "1 node", "2 nodes".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Few are the first most of names, and how many more there are: "a, b and 3 more".
func Few(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Size is a number of bytes in the largest unit that fits, of those of
// IEC 80000-13, behind the number and a space.
func Size(bytes uint64, space string) string {
	value, units := float64(bytes), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for value >= 1024 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	digits := 0
	if value < 10 && units[0] != "B" {
		digits = 1
	}
	return fmt.Sprintf("%.*f%s%s", digits, value, space, units[0])
}
