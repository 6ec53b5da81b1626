// Package exposition writes measurements in Prometheus' text format, version
// 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// It is the part of client_golang that an agent needs whose numbers are kept
// elsewhere anyway: with that library and the protobuf that it brings, the
// program would be 2.4 MB larger, an eighth of it, and above its limit. What is
// measured, and under which names, is left to the callers.
package exposition

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is what the format is called in HTTP.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// A Kind says what a family's numbers mean.
type Kind string

// The kinds of families.
const (
	Counter   Kind = "counter"   // only grows; its name ends in _total
	Gauge     Kind = "gauge"     // goes up and down
	Histogram Kind = "histogram" // how many observations were how large
	Summary   Kind = "summary"   // their number and sum
)

// A Family is a measurement with all its series.
type Family struct {
	Name string // letters, digits, "_" and ":"; with its base unit at the end
	Help string // one sentence; a line break is written as \n
	Kind Kind
	// Series must differ in the values of their labels. Without any, the family
	// is not written.
	Series []Series
}

// A Series is one number, or one distribution, of a family.
type Series struct {
	Labels []Label
	Value  float64       // of a Counter or Gauge
	Dist   *Distribution // of a Histogram or Summary
}

// A Label tells a series from the others of its family. Values may be any
// text; what is no UTF-8 is replaced.
type Label struct{ Name, Value string }

// Labels makes labels of names and values, in turn.
func Labels(pairs ...string) []Label {
	var labels []Label
	for pair := range slices.Chunk(pairs, 2) {
		labels = append(labels, Label{pair[0], pair[1]})
	}
	return labels
}

// A Distribution is what became of a number of observations.
type Distribution struct {
	Bounds []float64 // upper ends of the buckets, ascending, without +Inf; none for a Summary
	Counts []uint64  // of the observations in each bucket alone; one more than Bounds, the last is beyond them
	Count  uint64    // of all observations
	Sum    float64   // of all observations
}

// Bool is 1 for true and 0 for false.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Write writes families in their order.
func Write(w io.Writer, families []Family) error {
	out := &writer{Writer: bufio.NewWriterSize(w, 16<<10)}
	for _, f := range families {
		if len(f.Series) == 0 {
			continue
		}
		out.text("# HELP ", f.Name, " ", help.Replace(f.Help), "\n# TYPE ", f.Name, " ", string(f.Kind), "\n")
		for _, s := range f.Series {
			out.series(f, s)
		}
	}
	return out.Flush()
}

var (
	help  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	value = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// A writer writes lines. What cannot be written, Flush reports.
type writer struct {
	*bufio.Writer
	digits [32]byte
}

func (w *writer) text(parts ...string) {
	for _, p := range parts {
		_, _ = w.WriteString(p)
	}
}

func (w *writer) series(f Family, s Series) {
	if s.Dist == nil {
		w.line(f.Name, "", s.Labels, "", s.Value)
		return
	}
	if f.Kind == Histogram {
		var sum uint64
		for i, bound := range s.Dist.Bounds {
			sum += s.Dist.Counts[i]
			w.line(f.Name, "_bucket", s.Labels, string(w.number(bound)), float64(sum))
		}
		w.line(f.Name, "_bucket", s.Labels, "+Inf", float64(s.Dist.Count))
	}
	w.line(f.Name, "_sum", s.Labels, "", s.Dist.Sum)
	w.line(f.Name, "_count", s.Labels, "", float64(s.Dist.Count))
}

// line writes one number. le is the bucket's upper end, if there is one.
func (w *writer) line(name, suffix string, labels []Label, le string, v float64) {
	w.text(name, suffix)
	open := "{"
	for _, l := range labels {
		w.text(open, l.Name, `="`, value.Replace(strings.ToValidUTF8(l.Value, "\uFFFD")), `"`)
		open = ","
	}
	if le != "" {
		w.text(open, `le="`, le, `"`)
		open = ","
	}
	if open == "," {
		w.text("}")
	}
	w.text(" ")
	_, _ = w.Write(w.number(v))
	w.text("\n")
}

// number is v as the format writes it. The next call overwrites it.
func (w *writer) number(v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(w.digits[:0], "+Inf"...)
	case math.IsInf(v, -1):
		return append(w.digits[:0], "-Inf"...)
	}
	return strconv.AppendFloat(w.digits[:0], v, 'g', -1, 64)
}
