package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestLargeFiles loads files of 64 KiB that ask for as much depth or work as
// such a file can. Without the bounds these overflow the stack, or take hours:
// that is what the test's own time limit is for.
func TestLargeFiles(t *testing.T) {
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (maxRuleFile-len(head)-len(tail))/len(unit)) + tail
	}
	inJSON := []string{"parentheses", "sums", "conditions", "templates", "directives"}
	for name, text := range map[string]string{
		"parentheses":          fill("x = ", "(", ""),
		"brackets":             fill("x = ", "[", ""),
		"braces":               fill("", "a {\n", ""),
		"sums":                 fill("locals {\n x = 1", "+1", "\n}"),
		"products":             fill("locals {\n x = \"${1e300", "*1e300", "}\"\n}"),
		"ors":                  fill("locals {\n x = true", "||true", "\n}"),
		"signs":                fill("locals {\n x = ", "-", "1\n}"),
		"spaced signs":         fill("locals {\n x = ", "! ", "true\n}"),
		"conditions":           fill("locals {\n x = ", "true?1:", "1\n}"),
		"conditions in front":  fill("locals {\n x = ", "true?", "1\n}"),
		"indices":              fill("locals {\n x = local.y", "[0]", "\n}"),
		"splats":               fill("locals {\n y = [1]\n x = local.y", "[*]", "\n}"),
		"attribute splats":     fill("locals {\n y = [1]\n x = local.y", ".*", "\n}"),
		"attributes":           fill("locals {\n x = local", ".y", "\n}"),
		"templates":            fill("locals {\n x = ", `"${`, "\n}"),
		"directives":           fill("locals {\n x = \"", "%{if true}", "\"\n}"),
		"directives that end":  fill("locals {\n x = \"", "%{if true}a%{endif}", "\"\n}"),
		"heredocs":             fill("locals {\n x = ", "<<A\n${", "\n}"),
		"calls":                fill("locals {\n x = ", "upper(", "\n}"),
		"quotes":               fill("locals {\n x = ", `"`, "\n}"),
		"comments":             fill("", "/*", ""),
		"lines":                fill("", "\n", "x"),
		"rules":                fill("", "rule \"a\" {\n}\n", ""),
		"attributes of a rule": fill("rule \"a\" {\n", "wait = 1\n", "}\n"),
		"long word":            fill("rule \"", "a", "\" {\n}\n"),
		"loops":                "locals {\n x = [for a in range(1000): [for b in range(1000): [for c in range(1000): [for d in range(1000): d]]]]\n}",
	} {
		for _, file := range []string{"rules.hcl", "rules.hcl.json"} {
			if file == "rules.hcl.json" {
				if !slices.Contains(inJSON, name) {
					continue
				}
				text = fmt.Sprintf("{\"locals\": {\"x\": %q}}", "${"+strings.TrimPrefix(text, "x = ")+"}")
			}
			_, _, problems := loadFiles(map[string]string{file: text})
			if name == "loops" && file == "rules.hcl" && (len(problems) == 0 || problems[0].Summary != "too many rounds of loops") {
				t.Errorf("loops: %v", problems)
			}
		}
	}
	for _, unit := range []string{"[", `{"a":`, `"`, "1e9", "-"} {
		loadFiles(map[string]string{"rules.hcl.json": fill("", unit, "")})
	}
}
