package muster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"gopkg.in/yaml.v3"
)

// jsonCommand is `json FILE PATH VALUE`.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH VALUE")
	}
	var document, want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	if json.Unmarshal([]byte(args[2]), &want) != nil {
		want = args[2]
	}
	got, err := walk(document, args[1])
	if err != nil && !neg {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if diff := cmp.Diff(want, got); (diff == "") == neg {
		ts.Fatalf("%s is %s", args[1], encoded(got))
	}
}

// walk follows a path like "rules.0.state" into a JSON document. A trailing
// "#" is the length of a list.
func walk(value any, path string) (any, error) {
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, fmt.Errorf("no %q in %s", step, encoded(v))
			}
			value = next
		case []any:
			if step == "#" {
				value = float64(len(v))
				continue
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("no %q in a list of %d", step, len(v))
			}
			value = v[i]
		default:
			return nil, fmt.Errorf("no %q in %s", step, encoded(v))
		}
	}
	return value, nil
}

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// parses is `parses FORMAT FILE`.
func parses(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: parses FORMAT FILE")
	}
	if err := parse(args[0], ts.ReadFile(args[1])); (err != nil) != neg {
		ts.Fatalf("%s as %s: %v", args[1], args[0], err)
	}
}

// parse reads text with a reader that is not muster's.
func parse(format, text string) error {
	var into any
	switch format {
	case "json":
		return json.Unmarshal([]byte(text), &into)
	case "jsonl":
		for decoder := json.NewDecoder(strings.NewReader(text)); ; {
			if err := decoder.Decode(&into); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	case "yaml":
		return yaml.Unmarshal([]byte(text), &into)
	case "toml":
		_, err := toml.Decode(text, &into)
		return err
	}
	return fmt.Errorf("no format %q", format)
}

// lines is `lines N FILE`.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[1]), "\n"); (got == want) == neg {
		ts.Fatalf("%s has %d lines", args[1], got)
	}
}
