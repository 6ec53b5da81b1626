package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// printsFormats gives a command --format, as Serf's have it, and --json.
func (a *app) printsFormats(cmd *cobra.Command) {
	cmd.Flags().Var((*format)(&a.format), "format", "print `FORMAT`: text or json")
	a.printsJSON(cmd)
}

// A format is text (or empty) or json.
type format string

func (f *format) Set(name string) error {
	if name != "text" && name != "json" {
		return errors.New("want text or json")
	}
	*f = format(name)
	return nil
}

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

// wantsJSON reports whether JSON is to be printed.
func (a *app) wantsJSON() bool { return a.json || a.format == "json" }

// print prints v as JSON where that is wanted, and else the text, a line.
func (a *app) print(v any, text string) error {
	if a.wantsJSON() {
		return a.printSerfJSON(v)
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// printSerfJSON prints v byte for byte as Serf's commands print theirs.
func (a *app) printSerfJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(visible(text), '\n'))
	return err
}

// visible escapes what JSON may hold as it is but a terminal obeys: DEL, the
// C1 control characters, and characters that are there to change how others
// are shown, such as their order. They occur only within strings.
func visible(text []byte) []byte {
	control := func(r rune) bool { return 0x7f <= r && r <= 0x9f || unicode.Is(unicode.Cf, r) }
	if bytes.IndexFunc(text, control) < 0 {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		if !control(r) {
			out = append(out, string(r)...)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) { // RFC 8259, section 7
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

// plain is s as a part of a line: as it is, or quoted if it holds anything
// that would end the line or that a terminal obeys. Tabs are let be.
func plain(s string) string {
	if untabbed := strings.ReplaceAll(s, "\t", " "); printable(untabbed) == untabbed {
		return s
	}
	return strconv.Quote(s)
}
