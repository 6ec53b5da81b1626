package config

import (
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/rules"
)

// parse puts a value that is written as text, as in a flag, where field
// points to.
func parse(text string, field any) error {
	switch p := field.(type) {
	case *string:
		*p = text
	case *address:
		*p = address(text)
	case *rpcAddress:
		p.Addr, p.Explicit = text, true
	case *[]string:
		*p = append(*p, text)
	case *[]rules.Handler:
		h, err := rules.ParseHandler(text)
		if err != nil {
			return err
		}
		*p = append(*p, h)
	case *map[string]string:
		k, v, ok := strings.Cut(text, "=")
		if !ok || k == "" {
			return fmt.Errorf("%q is no tag: write KEY=VALUE", text)
		}
		set(p, k, v)
	case *roleTag:
		set((*map[string]string)(p), "role", text)
	case *bool:
		return parseBool(text, p)
	case *inverse:
		var b bool
		err := parseBool(text, &b)
		*p = inverse(!b)
		return err
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is not a whole number, or too large", text)
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf(`%q is no duration: write a number and its unit, as in "30s" or "5m"`, text)
		}
		*p = d
	case *slog.Level:
		return parseLevel(text, p)
	case *fs.FileMode:
		n, err := strconv.ParseUint(text, 8, 32)
		if err != nil || n > 0o777 {
			return fmt.Errorf(`%q is no file mode: write it in octal, as in "0660"`, text)
		}
		*p = fs.FileMode(n)
	default:
		panic(fmt.Sprintf("config: a setting of type %T", field))
	}
	return nil
}

func set(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

func parseBool(text string, p *bool) (err error) {
	if *p, err = strconv.ParseBool(text); err != nil {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

// parseLevel takes slog's levels and Serf's TRACE, DEBUG, INFO, WARN and ERR.
func parseLevel(text string, level *slog.Level) error {
	switch strings.ToLower(text) {
	case "trace", "debug":
		*level = slog.LevelDebug
	case "info":
		*level = slog.LevelInfo
	case "warn", "warning":
		*level = slog.LevelWarn
	case "err", "error":
		*level = slog.LevelError
	default:
		return oneOf(text, "debug", "info", "warn", "error")
	}
	return nil
}

// oneOf is an error unless text is one of the choices.
func oneOf(text string, choices ...string) error {
	if slices.Contains(choices, text) {
		return nil
	}
	if near := rules.Suggest(text, choices); near != "" {
		return fmt.Errorf("there is no %q; did you mean %q?", text, near)
	}
	return fmt.Errorf("there is no %q; it is one of %s", text, strings.Join(choices, ", "))
}
