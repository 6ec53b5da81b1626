package muster_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// composed are the log calls whose text is no literal, and what they say.
var composed = map[string][]string{
	"actions/actions.go: n":                     {"the event ledger was damaged in … places"},
	"cluster/incarnation.go: err.Error()":       {"cannot keep snapshot"},
	"cmd/muster/agent.go: err.Error()":          {"cannot close the journal"},
	"reconcile/recover.go: what":                {"an interrupted change was undone", "an interrupted change was complete"},
	"cluster/log.go: oneLine(text, maxLogLine)": {}, // Serf's and memberlist's own words
	"rpc/server_log.go: msg":                    {}, // what warn and info are given
	"agent/adopt.go: p.Summary":                 {}, // a mistake in a rule, as validate prints it
}

// A logLine is a line that the agent can log.
type logLine struct{ msg, level, at string }

// docs/logs.md has every line that the agent can log at info, warn or error,
// with its level, and no other.
func TestLogLines(t *testing.T) {
	documented := documentedLines(t)
	logged := map[string]bool{}
	for _, line := range loggedLines(t) {
		logged[line.msg] = true
		if levels, ok := documented[line.msg]; !ok {
			t.Errorf("%s: docs/logs.md does not have %s %q", line.at, line.level, line.msg)
		} else if !slices.Contains(levels, line.level) {
			t.Errorf("%s: docs/logs.md says that %q is %v, and it is %s", line.at, line.msg, levels, line.level)
		}
	}
	if len(logged) < 80 {
		t.Errorf("found only %d lines in the source", len(logged))
	}
	for msg := range documented {
		if !logged[msg] {
			t.Errorf("docs/logs.md: nothing logs %q", msg)
		}
	}
}

// documentedLines are the levels of each message in the tables of docs/logs.md.
// Each row has the message, its level, its fields, and what to do.
func documentedLines(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for i, row := range strings.Split(read(t, "docs/logs.md"), "\n") {
		cells := strings.Split(row, " | ")
		if !strings.HasPrefix(row, "| `") || strings.HasPrefix(row, "| `msg`") {
			continue
		}
		if len(cells) != 4 || len(strings.TrimSuffix(cells[3], " |")) < 3 {
			t.Errorf("docs/logs.md:%d: a row has message, level, fields, and what it means", i+1)
			continue
		}
		for _, msg := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
			if out[msg[1]] != nil {
				t.Errorf("docs/logs.md:%d: %q again", i+1, msg[1])
			}
			out[msg[1]] = strings.Split(cells[1], ", ")
		}
	}
	return out
}

// loggedLines reads them from the source: calls of Info, Warn and Error on what
// is called log or Logger. Package order logs the Lines that it is given.
func loggedLines(t *testing.T) []logLine {
	t.Helper()
	var out, given []logLine
	met, levels := map[string]bool{}, map[string]string{} // levels of the fields of Lines
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && lit.Type != nil && types.ExprString(lit.Type) == "order.Lines" {
				for _, e := range lit.Elts {
					line := e.(*ast.KeyValueExpr)
					msg, _ := literal(line.Value)
					given = append(given, logLine{msg, types.ExprString(line.Key), fmt.Sprintf("%s:%d", file, fset.Position(line.Pos()).Line)})
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			level, text := logCall(call)
			if text == nil {
				return true
			}
			if _, field, ok := strings.Cut(types.ExprString(text), "kind.Lines."); ok {
				levels[field] = level
				return true
			}
			at := fmt.Sprintf("%s:%d", file, fset.Position(call.Pos()).Line)
			if msg, ok := literal(text); ok {
				out = append(out, logLine{msg, level, at})
				return true
			}
			key := filepath.ToSlash(file) + ": " + types.ExprString(text)
			messages, ok := composed[key]
			if !ok {
				t.Errorf("%s: the text is no literal; say in composed what %q can be", at, key)
			}
			met[key] = true
			for _, msg := range messages {
				out = append(out, logLine{msg, level, at})
			}
			return true
		})
	}
	for key := range composed {
		if !met[key] {
			t.Errorf("composed: nothing logs %s", key)
		}
	}
	for _, line := range given {
		out = append(out, logLine{line.msg, levels[line.level], line.at})
	}
	return out
}

// logCall returns the level and the text of a call that logs.
func logCall(call *ast.CallExpr) (level string, text ast.Expr) {
	if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "level" && len(call.Args) > 0 {
		return "", call.Args[0] // one of a logger's methods
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return "", nil
	}
	receiver := types.ExprString(method.X)
	switch receiver[strings.LastIndex(receiver, ".")+1:] {
	case "log", "Logger", "logger":
	default:
		return "", nil
	}
	switch name := method.Sel.Name; name {
	case "Info", "Warn", "Error", "info", "warn":
		return strings.ToUpper(name), call.Args[0]
	case "Log":
		return "", call.Args[2]
	}
	return "", nil
}

// literal returns the constant text of an expression: a string or, of
// fmt.Sprintf("cannot x: %v", err), what stands before the cause.
func literal(text ast.Expr) (string, bool) {
	if call, ok := text.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "fmt.Sprintf" {
		msg, ok := literal(call.Args[0])
		before, rest, found := strings.Cut(msg, ": %v")
		return before, ok && found && rest == ""
	}
	lit, ok := text.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	msg, err := strconv.Unquote(lit.Value)
	return msg, err == nil
}

// Every way to log is found, and what is no literal is not passed over.
func TestLogCallsAreFound(t *testing.T) {
	for source, want := range map[string]string{
		`c.Logger.Warn("a b", "k", 1)`:                "WARN a b",
		`log.Info("x")`:                               "INFO x",
		`r.server.log.warn("y")`:                      "WARN y",
		`s.log.Error(fmt.Sprintf("cannot z: %v", e))`: "ERROR cannot z",
		`s.log.Error(fmt.Sprintf("%d of %d", a, b))`:  "ERROR ?",
		`s.log.Warn(why)`:                             "WARN ?",
		`s.log.Debug("quiet")`:                        "",
		`n.Info()`:                                    "",
		`t.Error("x")`:                                "",
	} {
		expr, err := parser.ParseExpr(source)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if level, text := logCall(expr.(*ast.CallExpr)); text != nil {
			msg, ok := literal(text)
			if !ok {
				msg = "?"
			}
			got = level + " " + msg
		}
		if got != want {
			t.Errorf("%s: %q, must be %q", source, got, want)
		}
	}
}
