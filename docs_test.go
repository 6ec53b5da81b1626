package muster_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"muster/rules"
	"muster/templates"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Links in the documentation lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	pages := 0
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		pages++
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if pages < 5 {
		t.Errorf("read only %d pages", pages)
	}
}

// Links to a heading find it.
func TestAnchors(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)#([^)]+)\)`)
	found := 0
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			found++
			if !anchors(read(t, target))[m[2]] {
				t.Errorf("%s: no heading #%s in %s", file, m[2], target)
			}
		}
	}
	if found < 5 {
		t.Errorf("followed only %d links", found)
	}
}

// anchors are the names that GitHub gives the headings of a page.
func anchors(page string) map[string]bool {
	odd := regexp.MustCompile(`[^a-z0-9 _-]`)
	names := map[string]bool{}
	for line := range strings.Lines(fence.ReplaceAllString(page, "")) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			names[strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")] = true
		}
	}
	return names
}

// The table of features names tests that there are, and every script.
func TestFeaturesAreProved(t *testing.T) {
	table := read(t, "docs/features.md")
	var sources strings.Builder
	for _, file := range files(t) {
		if strings.HasSuffix(file, "_test.go") {
			sources.WriteString(read(t, file))
		}
	}
	for _, name := range regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(table, -1) {
		if !strings.Contains(sources.String(), "func "+name[1]+"(") {
			t.Errorf("docs/features.md: there is no %s", name[1])
		}
	}
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) < 20 {
		t.Fatalf("only %d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		if !strings.Contains(table, "(../"+filepath.ToSlash(script)+")") {
			t.Errorf("docs/features.md does not name %s", script)
		}
	}
}

// Every command and every flag is documented, those of service's commands too;
// and no flag is that no command has.
func TestCommandsAreDocumented(t *testing.T) {
	flags := regexp.MustCompile(`(?m)^ +(?:-[a-z], )?(--[a-z0-9-]+)`)
	cli, configuration := read(t, "docs/cli.md"), read(t, "docs/configuration.md")
	there, commands := map[string]bool{}, 0
	var walk func(command ...string)
	walk = func(command ...string) {
		out, err := exec.Command("muster", append(command, "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		pages, name := cli, strings.Join(append([]string{"muster"}, command...), " ")
		if name == "muster agent" || name == "muster doctor" { // doctor takes what the agent takes
			pages += configuration
		}
		if !strings.Contains(cli, name) {
			t.Errorf("docs/cli.md does not document %s", name)
		}
		for _, flag := range flags.FindAllStringSubmatch(string(out), -1) {
			there[flag[1]] = true
			if !strings.Contains(pages, "`"+flag[1]) {
				t.Errorf("docs/cli.md does not document %s of %s", flag[1], name)
			}
		}
		// What a flag takes is shown as one word in capitals, or is a type.
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-[a-z], )?(--[a-z-]+) (\S.*?)  +\S`).FindAllStringSubmatch(string(out), -1) {
			if !regexp.MustCompile(`^([A-Z][A-Z0-9|:=.,/\[\]-]*|[a-z]+)$`).MatchString(flag[2]) {
				t.Errorf("%s --help: %s takes %q", name, flag[1], flag[2])
			}
		}
		for _, c := range regexp.MustCompile(`(?m)^  ([a-z-]+) +[A-Z]`).FindAllStringSubmatch(string(out), -1) {
			if c[1] != "help" && name != "muster completion" { // the library's own
				commands++
				walk(append(slices.Clone(command), c[1])...)
			}
		}
	}
	walk()
	if commands < 40 {
		t.Fatalf("found only %d commands", commands)
	}
	for _, flag := range regexp.MustCompile("`(--[a-z0-9-]+)").FindAllStringSubmatch(cli, -1) {
		if !there[flag[1]] {
			t.Errorf("docs/cli.md documents %s, which no command has", flag[1])
		}
	}
}

// Every built-in template and every program that has a name is documented.
func TestBuiltinsAreDocumented(t *testing.T) {
	page, language := read(t, "docs/templates.md"), read(t, "docs/language.md")
	for _, name := range templates.Builtins() {
		if !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, "### "+name+"\n") {
			t.Errorf("docs/templates.md does not have %s", name)
		}
	}
	programs := read(t, "docs/consumers/README.md")
	for _, name := range rules.Consumers() {
		if !strings.Contains(language, "`"+name+"`") || !strings.Contains(programs, `"`+name+`"`) {
			t.Errorf("docs/language.md or docs/consumers/README.md does not have %s", name)
		}
	}
}

// CONTRIBUTING.md has every package of the house.
func TestHouseIsDescribed(t *testing.T) {
	page := read(t, "CONTRIBUTING.md")
	for name := range house {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("CONTRIBUTING.md does not say what %s is", name)
		}
	}
}

// Every page of docs is in its index.
func TestEveryPageIsListed(t *testing.T) {
	index, programs := read(t, "docs/README.md"), read(t, "docs/consumers/README.md")
	for _, file := range files(t) {
		name, ok := strings.CutPrefix(filepath.ToSlash(file), "docs/")
		if !ok || !strings.HasSuffix(name, ".md") || strings.HasSuffix(name, "README.md") {
			continue
		}
		list := index
		if rest, ok := strings.CutPrefix(name, "consumers/"); ok {
			name, list = rest, programs
		}
		if !strings.Contains(list, "]("+name+")") {
			t.Errorf("no index lists %s", file)
		}
	}
}

// Every state of a rule or a file is in the table that says what to do.
func TestStatesAreDocumented(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "docs/operations.md"), "## States, and what to do")
	table, _, _ = strings.Cut(table, "\n### ")
	state := regexp.MustCompile(`(?m)^(?:const |\t)\w+ (?:reconcile\.)?State += "([a-z-]+)"$`)
	found := 0
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range state.FindAllStringSubmatch(read(t, file), -1) {
			found++
			if !strings.Contains(table, "| `"+m[1]+"` |") {
				t.Errorf("docs/operations.md does not say what to do when something is %s", m[1])
			}
		}
	}
	if found < 9 {
		t.Errorf("found only %d states", found)
	}
}
