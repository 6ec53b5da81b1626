package rules

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// constant returns the value of an attribute that is read once, when the
// rules are loaded. ok is false when it is absent, null or mistaken; mistakes
// are reported.
func (b *block) constant(name string, want cty.Type) (v cty.Value, ok bool) {
	attr := b.attrs[name]
	if attr == nil {
		return v, false
	}
	e := b.compile(attr.Expr, spec{what: "`" + name + "`", want: want})
	if e == nil || e.value.IsNull() {
		return v, false
	}
	return *e.value, true
}

// wrong reports that an attribute's value cannot be used.
func (b *block) wrong(name, summary, detail string) {
	b.problem(b.attrs[name].Expr.Range(), summary, detail)
}

func (b *block) str(name string) string {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return ""
	}
	return v.AsString()
}

func (b *block) flag(name string) bool {
	v, ok := b.constant(name, cty.Bool)
	return ok && v.True()
}

// oneOf reads a string that must be one of a few words.
func (b *block) oneOf(name, def string, words ...string) string {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return def
	}
	for _, w := range words {
		if v.AsString() == w {
			return w
		}
	}
	b.wrong(name, fmt.Sprintf("`%s` cannot be \"%s\"%s", name, printable(v.AsString()), didYouMean(v.AsString(), words)),
		"It is one of "+and(words)+".")
	return def
}

// count reads a whole number from least to most.
func (b *block) count(name string, def, least, most int) int {
	v, ok := b.constant(name, cty.Number)
	if !ok {
		return def
	}
	n, acc := v.AsBigFloat().Int64()
	if acc != big.Exact || n < int64(least) || n > int64(most) {
		b.wrong(name, fmt.Sprintf("`%s` must be a whole number from %d to %d", name, least, most), "")
		return def
	}
	return int(n)
}

// strList reads a list of strings, with the place of each where it is known;
// nil if it is absent or mistaken.
func (b *block) strList(name string) ([]string, []hcl.Range) {
	v, ok := b.constant(name, cty.List(cty.String))
	if !ok {
		return nil, nil
	}
	items, _ := hcl.ExprList(b.attrs[name].Expr)
	out := []string{}
	var places []hcl.Range
	for i, e := range elements(v) {
		at := b.attrs[name].Expr.Range()
		if i < len(items) && len(items) == v.LengthInt() {
			at = items[i].Range()
		}
		if e.IsNull() {
			b.problem(at, fmt.Sprintf("an element of `%s` is null", name), "")
			continue
		}
		out, places = append(out, e.AsString()), append(places, at)
	}
	return out, places
}

// duration reads a length of time such as "1m30s".
func (b *block) duration(name string, def, least time.Duration) time.Duration {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return def
	}
	d, hint := parseDuration(v.AsString())
	if hint != "" {
		b.wrong(name, fmt.Sprintf("`%s` is not a length of time", name), hint)
		return def
	}
	if d < least {
		b.wrong(name, fmt.Sprintf("`%s` must be at least %s", name, least), "")
		return def
	}
	return d
}

const maxDuration = 365 * 24 * time.Hour

// parseDuration reads Go's notation; hint says what to do if it cannot.
func parseDuration(s string) (d time.Duration, hint string) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, fmt.Sprintf("Give it a unit: \"%ss\", or \"%sms\", \"%sm\", \"%sh\".", s, s, s, s)
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, "Write it as \"500ms\", \"30s\", \"2m\" or \"1h30m\"."
	case d < 0:
		return 0, "It cannot be negative."
	case d > maxDuration:
		return 0, "It can be a year at most."
	}
	return d, ""
}

// wait reads "MIN:MAX" or "MIN".
func (b *block) wait(name string, def Wait) Wait {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return def
	}
	from, to, two := strings.Cut(v.AsString(), ":")
	w := Wait{}
	var hint string
	if w.Min, hint = parseDuration(strings.TrimSpace(from)); hint == "" {
		w.Max = 4 * w.Min // as consul-template has it
		if two {
			w.Max, hint = parseDuration(strings.TrimSpace(to))
		}
	}
	switch {
	case hint != "":
		b.wrong(name, fmt.Sprintf("`%s` is not a pair of lengths of time", name),
			hint+" As in \"200ms:2s\": this long of quiet, at most that long; \"0s\" acts at once.")
	case w.Min > w.Max:
		b.wrong(name, fmt.Sprintf("`%s` has a minimum (%s) above its maximum (%s)", name, w.Min, w.Max),
			fmt.Sprintf("Write \"%s:%s\".", to, from))
	default:
		return w
	}
	return def
}

// fraction reads "50%" or 0.5.
func (b *block) fraction(name string, def float64) float64 {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return def
	}
	s, percent := strings.CutSuffix(strings.TrimSpace(v.AsString()), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if percent {
		f /= 100
	}
	switch {
	case err != nil:
		b.wrong(name, fmt.Sprintf("`%s` is not a share", name), "Write it as \"50%\" or 0.5.")
	case !percent && f > 1 && f <= 100:
		b.wrong(name, fmt.Sprintf("`%s` is more than the whole", name), fmt.Sprintf("For %s of a hundred write \"%s%%\".", s, s))
	case !(f >= 0 && f <= 1):
		b.wrong(name, fmt.Sprintf("`%s` must be from \"0%%\" to \"100%%\"", name), "")
	default:
		return f
	}
	return def
}

// size reads a number of bytes such as "16MiB".
func (b *block) size(name string, def, least, most int64) int64 {
	v, ok := b.constant(name, cty.String)
	if !ok {
		return def
	}
	n, err := parseSize(v.AsString())
	if err != nil {
		b.wrong(name, fmt.Sprintf("`%s` is not a size", name), "Write it as \"512KiB\", \"16MiB\" or a number of bytes.")
		return def
	}
	if n < least || n > most {
		b.wrong(name, fmt.Sprintf("`%s` must be from %d to %d bytes", name, least, most), "")
		return def
	}
	return n
}

// sizeUnits are the units of sizes, by IEC 80000-13 (KiB) and SI (kB).
var sizeUnits = map[string]int64{
	"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1e3, "mb": 1e6, "gb": 1e9, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30,
}

func parseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, ok := sizeUnits[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n > (1<<40) {
		return 0, fmt.Errorf("cannot read size %q", s)
	}
	return n * unit, nil
}
