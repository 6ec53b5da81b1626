package logs

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxLine = 4 << 10 // bytes

// A format makes one line of a record: "source: message key=value". It
// leaves attributes to slog's own text handler, which quotes what is not plain.
type format struct {
	attrs   slog.Handler
	buffer  *buffer
	source  string
	grouped bool // attributes lie in a group: a source there is another one
}

// A buffer is where the text handler writes the record under way.
type buffer struct {
	sync.Mutex
	bytes.Buffer
}

func newFormat() format {
	b := new(buffer)
	return format{buffer: b, source: "agent", attrs: slog.NewTextHandler(&b.Buffer, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == sourceKey {
				return slog.Attr{}
			}
			return a
		},
	})}
}

// preamble is how the text handler begins every line of a record without a
// time and a message.
const preamble = `level=INFO msg=""`

// sourceKey names the attribute that says which part of the agent speaks.
const sourceKey = "source"

func (f format) line(ctx context.Context, r slog.Record) (string, error) {
	source := f.source
	if !f.grouped {
		r.Attrs(func(a slog.Attr) bool {
			source = sourceOf(source, a)
			return true
		})
	}
	text := source + ": " + r.Message
	r.Time, r.Level, r.Message = time.Time{}, slog.LevelInfo, ""
	f.buffer.Lock()
	defer f.buffer.Unlock()
	f.buffer.Reset()
	if err := f.attrs.Handle(ctx, r); err != nil {
		return "", err
	}
	text += strings.TrimPrefix(strings.TrimSuffix(f.buffer.String(), "\n"), preamble)
	text = plain(text)
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	if f.buffer.Cap() > 16*maxLine {
		f.buffer.Buffer = bytes.Buffer{} // do not keep what one giant needed
	}
	return text, nil
}

func (f format) withAttrs(attrs []slog.Attr) format {
	if !f.grouped {
		for _, a := range attrs {
			f.source = sourceOf(f.source, a)
		}
	}
	f.attrs = f.attrs.WithAttrs(attrs)
	return f
}

func (f format) withGroup(name string) format {
	if name == "" {
		return f
	}
	f.attrs, f.grouped = f.attrs.WithGroup(name), true
	return f
}

// sourceOf is what a says the source is, or else as it was.
func sourceOf(source string, a slog.Attr) string {
	if a.Key != sourceKey || a.Value.Kind() != slog.KindString {
		return source
	}
	return a.Value.String()
}

// plain returns s with everything unprintable escaped.
func plain(s string) string {
	q := strconv.Quote(s)
	if len(q) == len(s)+2 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}

// head is the record's time and level as Serf's logger writes them; a record
// without a time has none.
func head(r slog.Record) string {
	level := "[" + LevelName(r.Level) + "] "
	if r.Time.IsZero() {
		return level
	}
	return r.Time.Format("2006/01/02 15:04:05 ") + level
}
