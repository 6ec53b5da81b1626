package templates

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// debian finds a program of Debian's; another python3 or bash in PATH might
// lack what these tests need.
func debian(t *testing.T, path, name string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s, and on CI nothing may be missing", name)
		}
		t.Skipf("SKIPPED: this test needs %s: run `make deps`", name)
	}
	return path
}

// spoken are the voices that real programs hear: one of each kind.
func spoken() (some []voice) {
	for _, p := range voices() {
		if slices.Contains([]string{"name", "tag", "key by range"}, p.name) {
			some = append(some, p)
		}
	}
	return some
}

// cells renders shapes for real programs.
func (r row) cells(t *testing.T, shapes []string, values []string) (all []cell) {
	for _, shape := range shapes {
		for _, p := range spoken() {
			all = append(all, r.cell(t, shape, p, values))
		}
	}
	return all
}

// compareAll lets one start of a program read the files of all cells: read
// returns the tokens of each.
func compareAll(t *testing.T, program string, cells []cell, read func(files []string) [][]string) {
	t.Helper()
	var files []string
	for _, c := range cells {
		files = append(files, string(c.clean), string(c.hostile))
	}
	tokens := read(files)
	if len(tokens) != len(files) {
		t.Fatalf("%s read %d of %d files", program, len(tokens), len(files))
	}
	for i, c := range cells {
		if len(tokens[2*i]) < len(c.ids) {
			t.Errorf("%s: %s sees %d tokens of %d members", c.what, program, len(tokens[2*i]), len(c.ids))
		}
		c.compare(t, program, tokens[2*i], tokens[2*i+1])
	}
}

// pythonReads flattens what the modules of Python make of files, which come as a
// list in JSON on standard input, as flatten does.
const pythonReads = `
import sys, json, configparser, tomllib, yaml
def flat(v, out):
    if isinstance(v, dict):
        out.append("(dict)")
        for k in sorted(v, key=str):
            out.append(k if isinstance(k, str) else "(%s) %s" % (type(k).__name__, k))
            flat(v[k], out)
        out.append("(end)")
    elif isinstance(v, list):
        out.append("(list)")
        for e in v: flat(e, out)
        out.append("(end)")
    else:
        out.append(v if isinstance(v, str) else "(%s) %s" % (type(v).__name__, v))
    return out
def ini(text):
    p = configparser.RawConfigParser(strict=False, allow_no_value=True)
    p.optionxform = str
    p.read_string(text)
    return [[s, [[k, v] for k, v in p.items(s)]] for s in p.sections()]
read = {"yaml": lambda s: list(yaml.safe_load_all(s)), "json": json.loads, "toml": tomllib.loads, "ini": ini}[sys.argv[1]]
def tokens(text):
    try:
        return flat(read(text), [])
    except Exception as e:
        return ["(error) %s" % e]
json.dump([tokens(text) for text in json.load(sys.stdin)], sys.stdout)
`

func TestMatrixPython(t *testing.T) {
	python := debian(t, "/usr/bin/python3", "python3")
	debian(t, "/usr/lib/python3/dist-packages/yaml", "python3-yaml")
	for _, r := range rows() {
		shapes := r.shapes
		switch r.format {
		case YAML, JSON, TOML:
		case INI: // in the form that this reader knows: keys in sections
			shapes = []string{"[@]\nx = 1\n", "[a-@]\n# @\nx = 1\n; @\n", "[s]\n@ = 1\n", "[s]\nk#=@\n", "[s]\nk# = a @ b\n", "[s]\nk# = \"@\"\nl# = '@'\n", "[s]\nweb-@.example = @\n"}
			for i := range shapes {
				shapes[i] = strings.NewReplacer("k#", "k«$m.Port»", "l#", "l«$m.Port»").Replace(shapes[i])
			}
		default:
			continue
		}
		compareAll(t, "python3", r.cells(t, shapes, hostile), func(files []string) [][]string {
			in, err := json.Marshal(files)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(python, "-I", "-c", pythonReads, string(r.format))
			cmd.Stdin = bytes.NewReader(in)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("python3: %v", err)
			}
			var tokens [][]string
			if err := json.Unmarshal(out, &tokens); err != nil {
				t.Fatal(err)
			}
			for i, c := range tokens {
				if slices.ContainsFunc(c, func(s string) bool { return strings.HasPrefix(s, "(error)") }) {
					t.Errorf("python3: %v in:\n%.2000s", c, files[i])
				}
			}
			return tokens
		})
	}
}

// TestMatrixShells lets shells run what is printed for them: scripts that print
// their words and variables, each ended by a NUL.
func TestMatrixShells(t *testing.T) {
	i := slices.IndexFunc(rows(), func(r row) bool { return r.format == Shell })
	r := rows()[i]
	cells := r.cells(t, r.shapes, hostile)
	for _, shell := range []string{"dash", "bash"} {
		path := debian(t, "/bin/"+shell, shell)
		compareAll(t, shell, cells, func(files []string) [][]string { return runShells(t, path, files) })
	}
}

// runShells runs scripts with one start of a shell, each in a subshell.
func runShells(t *testing.T, shell string, files []string) (tokens [][]string) {
	t.Helper()
	dir := t.TempDir()
	var all bytes.Buffer
	all.WriteString("cd " + dir + " || exit 1\n")
	for range files {
		all.WriteString("(. ./$((n += 0)).sh 2>&1 || printf '(failed)\\0'; printf '\\0(end)\\0')\nn=$((n + 1))\n")
	}
	for i, text := range files {
		write(t, filepath.Join(dir, "x"), nil)
		write(t, filepath.Join(dir, strconv.Itoa(i)+".sh"), []byte(text))
	}
	cmd := exec.Command(shell, "-c", all.String())
	cmd.Env = []string{"PATH=/nonexistent", "LC_ALL=C.UTF-8"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", shell, err)
	}
	var one []string
	for _, word := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if word == "(end)" {
			tokens, one = append(tokens, one), nil
			continue
		}
		one = append(one, word)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*[^h]")); len(left) != 1 {
		t.Errorf("%s: files were made: %v", shell, left)
	}
	return tokens
}
