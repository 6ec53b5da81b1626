package templates

import (
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

// The bounds of what one call can make.
const (
	maxList   = 100_000 // elements
	maxString = 4 << 20 // bytes
)

// rawText is printed as it is.
type rawText string

// jsonText is a complete JSON value, as toJson makes it.
type jsonText string

// quotedText is printed between quotes, escaped for them by the format.
type quotedText struct {
	text  string
	quote byte // ' or "
}

// String is what sprig's quote and squote give, for use within a template.
func (q quotedText) String() string {
	if q.quote == '\'' {
		return "'" + q.text + "'"
	}
	return strconv.Quote(q.text)
}

// notText is what a function makes of a value that it cannot take: printing it
// is refused, and so it is the member's fault and not the template's.
type notText struct{ text, reason string }

// errFail is the author's own way out: it ends the execution.
type errFail struct{ message string }

func (e errFail) Error() string { return e.message }

// textFunctions are the functions that make text or lists: sprig's, with
// bounds, and with results that know how they want to be printed.
func (t *Template) textFunctions() template.FuncMap {
	weighs := func(vs ...any) { t.spend(weigh(reflect.ValueOf(vs), maxSteps, 0)) }
	bounded := func(s string) (string, error) {
		t.spend(1 + len(s)/1024)
		if len(s) > maxString {
			return "", fmt.Errorf("its result has %d bytes: the limit is %d", len(s), maxString)
		}
		return s, nil
	}
	indent := func(n int, v any) (string, error) {
		s := t.str(v)
		if n < 0 || n > 1000 {
			return "", fmt.Errorf("cannot indent by %d: 0 to 1000 is allowed", n)
		}
		pad := strings.Repeat(" ", n)
		return bounded(pad + strings.ReplaceAll(s, "\n", "\n"+pad))
	}
	toJSON := func(v any) (jsonText, error) { weighs(v); return marshal(v, "") }
	toPretty := func(v any) (jsonText, error) { weighs(v); return marshal(v, "  ") }
	sprint := func(v ...any) (string, error) { weighs(v...); return bounded(fmt.Sprint(v...)) }
	sprintln := func(v ...any) (string, error) { weighs(v...); return bounded(fmt.Sprintln(v...)) }
	sprintf := func(f any, v ...any) (string, error) {
		weighs(v...)
		return bounded(fmt.Sprintf(t.str(f), v...))
	}
	likes := &patterns{t: t, compiled: map[string]*regexp.Regexp{}}
	return template.FuncMap{
		"raw":      func(v any) rawText { return rawText(t.str(v)) },
		"quote":    func(v ...any) any { return t.quote('"', v) },
		"squote":   func(v ...any) any { return t.quote('\'', v) },
		"print":    sprint,
		"println":  sprintln,
		"printf":   sprintf,
		"html":     func(v any) string { return template.HTMLEscapeString(t.str(v)) },
		"js":       func(v any) string { return template.JSEscapeString(t.str(v)) },
		"urlquery": func(v any) string { return template.URLQueryEscaper(t.str(v)) },
		"indent":   indent,
		"nindent": func(n int, v any) (string, error) {
			s, err := indent(n, v)
			return "\n" + s, err
		},
		"repeat": func(n int, v any) (string, error) {
			s := t.str(v)
			if n < 0 || len(s) > 0 && n > maxString/len(s) {
				return "", fmt.Errorf("cannot repeat %d bytes %d times: the limit is %d bytes", len(s), n, maxString)
			}
			return bounded(strings.Repeat(s, n))
		},
		"until":     func(n int) ([]int, error) { return t.sequence(0, n, 1-2*btoi(n < 0)) },
		"untilStep": t.sequence,
		"seq":       t.seq,
		"b64dec": func(v any) (string, error) {
			b, err := base64.StdEncoding.DecodeString(t.str(v))
			return string(b), err
		},
		"b32dec": func(v any) (string, error) {
			b, err := base32.StdEncoding.DecodeString(t.str(v))
			return string(b), err
		},
		"toJson": toJSON, "toRawJson": toJSON, "mustToJson": toJSON, "mustToRawJson": toJSON,
		"toPrettyJson": toPretty, "mustToPrettyJson": toPretty,
		"fail": func(v any) (string, error) { return "", errFail{t.str(v)} },
		"hostPort": func(host, port any) string {
			return net.JoinHostPort(t.str(host), t.str(port))
		},
		"port":    func(v any) any { return t.number(1, 65535, v) },
		"between": t.between,
		"like":    likes.like,
		"unlike":  likes.unlike,
		"bracket": func(host any) string {
			s := t.str(host)
			if a, err := netip.ParseAddr(s); err == nil && a.Is6() {
				return "[" + s + "]"
			}
			return s
		},
	}
}

// between returns the whole number that v is, if it is from low to high.
func (t *Template) between(low, high, v any) any {
	bottom, err1 := strconv.Atoi(t.str(low))
	top, err2 := strconv.Atoi(t.str(high))
	if err := cmp.Or(err1, err2); err != nil {
		panic(err)
	}
	return t.number(bottom, top, v)
}

func (t *Template) number(low, high int, v any) any {
	s := strings.TrimSpace(t.str(v))
	n, err := strconv.Atoi(s)
	switch {
	case s == "":
		return notText{s, fmt.Sprintf("there is no number: one from %d to %d is wanted", low, high)}
	case err != nil || n < low || n > high:
		return notText{s, fmt.Sprintf("it is not a number from %d to %d", low, high)}
	}
	return n
}

// quote quotes each of vs, as sprig does: those that are nil are left out.
func (t *Template) quote(q byte, vs []any) any {
	var out []string
	var one quotedText
	for _, v := range vs {
		if v != nil {
			one = quotedText{text: t.str(v), quote: q}
			out = append(out, one.String())
		}
	}
	if len(out) == 1 {
		return one
	}
	return strings.Join(out, " ")
}

// sequence returns start, start+step, … up to but not including stop.
func (t *Template) sequence(start, stop, step int) ([]int, error) {
	if step == 0 || (stop > start) != (step > 0) {
		return nil, nil
	}
	n := (uint(stop-start) + uint(step) - 1) / uint(step)
	if step < 0 {
		n = (uint(start-stop) + uint(-step) - 1) / uint(-step)
	}
	if n > maxList {
		return nil, fmt.Errorf("cannot make a list of %d numbers: the limit is %d", n, maxList)
	}
	t.spend(int(n))
	list := make([]int, n)
	for i := range list {
		list[i] = start + i*step
	}
	return list, nil
}

// seq is sprig's: the numbers from, by, to in one string, to included.
func (t *Template) seq(params ...int) (string, error) {
	start, step, stop := 1, 1, 0
	switch len(params) {
	case 1:
		stop = params[0]
		if stop < start {
			step = -1
		}
	case 2:
		start, stop = params[0], params[1]
		if stop < start {
			step = -1
		}
	case 3:
		start, step, stop = params[0], params[1], params[2]
	default:
		return "", nil
	}
	end := stop + 1
	if step < 0 {
		end = stop - 1
	}
	list, err := t.sequence(start, end, step)
	return strings.Trim(fmt.Sprint(list), "[]"), err
}

func marshal(v any, indent string) (jsonText, error) {
	b, err := appendJSON(nil, v, 0)
	if err != nil || indent == "" {
		return jsonText(b), err
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err = enc.Encode(json.RawMessage(b))
	return jsonText(strings.TrimSuffix(out.String(), "\n")), err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
