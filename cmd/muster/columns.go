package main

import (
	"strings"
	"unicode/utf8"
)

// columns lines up rows as Serf's commands do, so that scripts which read
// theirs read ours: two spaces between columns, the last one as it is, no
// space at the end of the whole. Cells are made printable.
func columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(strings.TrimSpace(cell))
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		text.WriteByte('\n')
	}
	return strings.TrimSpace(text.String())
}
