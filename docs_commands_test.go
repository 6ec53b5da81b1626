package muster_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The README and the pages for beginners are sessions: what they tell to type
// is typed, and what they say is answered must be answered. A block begins with
// its language and, after it, what becomes of it:
//
//	```console           commands after "$ ", each with its output below it
//	```console not-run   commands that are not run here; notRun says why
//	```nginx nginx.conf  any other language and a name: that file
//	```hcl               any other language alone: only shown
//
// In output a line "…" stands for any lines, "…" within a line for anything,
// and a length of time for any other. Where nothing is shown, nothing may be
// printed. A command that does not succeed says so: "# exits with 1". The
// blocks of a page run in order and in one shell. /tmp/try and 127.1.0.N
// stand for a directory and for addresses of the test's own.

// sessions are the pages, and whether they are for the repository's root; the
// others begin in a directory of their own.
var sessions = map[string]bool{"README.md": true, "docs/getting-started.md": false}

// notRun are the first commands of the blocks that are not run.
var notRun = map[string]string{
	"make deb":   "builds packages for three processors, and installs one as root: install/ has its tests",
	"make build": "installs as root",
	"muster keygen | sed 's/.*/[\"&\"]/' | sudo install -m 0600 /dev/stdin /etc/muster/keyring.json": "writes into /etc",
	"sudo muster init": "writes into /etc and starts a service",
}

// lookers are commands that only look: what they show may take its time, so
// that they are repeated, as a reader would.
var lookers = regexp.MustCompile(`^(cat|curl|muster (status|members|explain|plan|nodes|fleet))\b`)

// A block is a fenced block of a page.
type block struct {
	line      int // of its first line, from 1
	lang, arg string
	text      string
}

// A step is a command of a block, what it must print, and its exit code.
type step struct {
	line    int
	command string
	want    []string
	code    string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*) ?(.*?)\n(.*?)^```$")

func blocks(page string) []block {
	var out []block
	for _, at := range fence.FindAllStringSubmatchIndex(page, -1) {
		out = append(out, block{
			line: 2 + strings.Count(page[:at[0]], "\n"),
			lang: page[at[2]:at[3]], arg: page[at[4]:at[5]], text: page[at[6]:at[7]],
		})
	}
	return out
}

var exits = regexp.MustCompile(`# exits with (\d+)$`)

func (b block) steps() []step {
	var out []step
	continued := false
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		command, typed := strings.CutPrefix(line, "$ ")
		switch {
		case continued:
			out[len(out)-1].command += "\n" + line
		case typed:
			code := "0"
			if m := exits.FindStringSubmatch(command); m != nil {
				code = m[1]
			}
			out = append(out, step{line: b.line + i, command: command, code: code})
		case len(out) > 0:
			out[len(out)-1].want = append(out[len(out)-1].want, line)
		}
		continued = (typed || continued) && strings.HasSuffix(line, `\`)
	}
	return out
}

var (
	duration = regexp.MustCompile(`\b(\d+(\.\d+)? ?(µs|ms|s|m|h))+\b`)
	loopback = regexp.MustCompile(`\b127\.\d+\.\d+\.(\d+)\b`)
	spaces   = regexp.MustCompile(` +`)
	notices  = regexp.MustCompile(`(?m)^\S*(bash|sh): line \d+: +\d+ Killed .*\n`) // the shell's, of a job
)

// alike replaces what differs from one run to the next.
func alike(text string) string {
	text = notices.ReplaceAllString(text, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	text = loopback.ReplaceAllString(duration.ReplaceAllString(text, "TIME"), "127.N.N.$1")
	lines := strings.Split(spaces.ReplaceAllString(text, " "), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// answers reports whether got is what the lines of a page say.
func answers(want []string, got string) bool {
	return expected(want, `\z`).MatchString(alike(got))
}

// unanswered is the first line of a page that is not in got, for a person.
func unanswered(want []string, got string) string {
	for i := range want {
		if !expected(want[:i+1], "").MatchString(alike(got)) {
			return want[i]
		}
	}
	return "the end"
}

func expected(want []string, end string) *regexp.Regexp {
	var pattern strings.Builder
	for _, line := range want {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(alike(line), "\n")), "…", ".*") + `\n`)
	}
	return regexp.MustCompile(`\A` + pattern.String() + end)
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		want string
		got  string
		ok   bool
	}{
		{"", "", true},
		{"", "x\n", false},
		{"a", "a\n", true},
		{"a", "b\n", false},
		{"a", "a\nb\n", false},
		{"a\n…", "a\nb\nc\n", true},
		{"…\nc", "a\nb\nc\n", true},
		{"a … c", "a b c\n", true},
		{"in 5.7 s", "in 813 ms\n", true},
		{"in 5 rules", "in 6 rules\n", false},
		{"web  2s ago  2", "web  1m12s ago     2\n", true},
		{"127.1.0.2:80", "127.33.4.2:80\n", true},
		{"127.1.0.2:80", "127.33.4.3:80\n", false},
	} {
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "\n")
		}
		if got := answers(want, c.got); got != c.ok {
			t.Errorf("%q is answered by %q: %v", c.want, c.got, got)
		}
	}
}

// What the pages tell to type does what they say.
func TestDocumentedCommands(t *testing.T) {
	for _, program := range []string{"bash", "nginx", "curl"} {
		if there, err := condition("have:" + program); err != nil {
			t.Fatal(err)
		} else if !there {
			t.Skip("needs " + program)
		}
	}
	for page, atRoot := range sessions {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, atRoot)
			ran := 0
			for _, b := range blocks(read(t, page)) {
				switch {
				case b.lang == "console" && b.arg == "":
					for _, step := range b.steps() {
						s.run(t, page, step)
						ran++
					}
				case b.lang != "console" && b.arg != "":
					s.write(t, b)
				}
			}
			if ran == 0 {
				t.Error("nothing was run")
			}
		})
	}
}

// The recording of the demo is of this demo: what it tells between the files
// is what it tells now.
func TestDemoRecording(t *testing.T) {
	if there, err := condition("have:nginx"); err != nil {
		t.Fatal(err)
	} else if !there {
		t.Skip("needs nginx")
	}
	t.Parallel()
	out, err := exec.Command("muster", "demo").Output()
	if err != nil {
		t.Fatal(err)
	}
	told := func(text string) (lines []string) {
		number := regexp.MustCompile(`\d+`)
		for line := range strings.Lines(alike(text)) {
			if act := regexp.MustCompile(`^(\d+\. |[a-zA-Z])`); act.MatchString(line) {
				lines = append(lines, number.ReplaceAllString(line, "N"))
			}
		}
		return lines
	}
	if diff := cmp.Diff(told(read(t, "docs/demo.txt")), told(string(out))); diff != "" {
		t.Errorf("docs/demo.txt (-recorded +now):\n%s", diff)
	}
}

// No block of these pages is passed over silently: each is run, written, only
// shown, or listed as not run, and what is listed is there.
func TestNoBlockIsSkipped(t *testing.T) {
	listed := map[string]bool{}
	for page := range sessions {
		text := read(t, page)
		for _, b := range blocks(text) {
			first, _, _ := strings.Cut(b.text, "\n")
			command, isCommand := strings.CutPrefix(first, "$ ")
			switch {
			case b.lang == "":
				t.Errorf("%s:%d: a block without a language", page, b.line)
			case b.lang == "sh" || b.lang == "bash" || b.lang == "shell":
				t.Errorf("%s:%d: commands belong into a console block", page, b.line)
			case (b.lang == "console") != isCommand:
				t.Errorf("%s:%d: a console block begins with a command, and no other does", page, b.line)
			case b.lang == "console" && b.arg == "not-run":
				listed[command] = true
				if notRun[command] == "" {
					t.Errorf("%s:%d: not run, and notRun does not say why: %s", page, b.line, command)
				}
			case b.lang == "console" && b.arg != "":
				t.Errorf("%s:%d: not a word for a console block: %s", page, b.line, b.arg)
			case b.arg != "" && !strings.Contains(text, "`"+b.arg+"`"):
				t.Errorf("%s:%d: the text does not say that this is %s", page, b.line, b.arg)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(notRun)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("not run (-listed +found):\n%s", diff)
	}
}

// A session is a shell that runs the commands of a page, and ends with all
// that they started.
type session struct {
	dir   string // where its own files are
	net   string // what 127.1.0. stands for
	stdin io.Writer
	done  *bufio.Scanner // the exit code of each command
	n     int
}

func newSession(t *testing.T, atRoot bool) *session {
	t.Helper()
	dir, err := os.MkdirTemp("", "muster-try") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	// nginx's workers are somebody else.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &session{dir: dir, net: fmt.Sprintf("127.%d.%d.", 10+os.Getpid()%200, scripts.Add(1))}
	shell := exec.Command("bash", "--norc", "--noprofile")
	shell.Env = append(os.Environ(), "TZ=UTC", "MUSTER_SOCKET=", "NO_COLOR=1")
	if !atRoot {
		shell.Dir = dir
	}
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.stdin, err = shell.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	s.done = bufio.NewScanner(stdout)
	// What hangs is cut off before the tests are.
	hung := time.AfterFunc(4*patience, func() { _ = shell.Process.Kill() })
	t.Cleanup(func() {
		hung.Stop()
		// The group is the shell's own, and it leads it until it is waited for.
		if err := syscall.Kill(-shell.Process.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = shell.Wait()
		// What was killed beside the shell may still be at work for a moment.
		deadline := time.Now().Add(patience)
		for err = os.RemoveAll(dir); err != nil && time.Now().Before(deadline); err = os.RemoveAll(dir) {
			time.Sleep(50 * time.Millisecond)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return s
}

// own puts the session's directory and addresses in, and theirs takes them
// out again.
func (s *session) own(text string) string {
	return strings.NewReplacer("/tmp/try", s.path("try"), "127.1.0.", s.net).Replace(text)
}

func (s *session) theirs(text string) string {
	return strings.NewReplacer(s.path("try"), "/tmp/try", s.net, "127.1.0.").Replace(text)
}

func (s *session) path(name string) string { return filepath.Join(s.dir, name) }

func (s *session) write(t *testing.T, b block) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.path("try"), b.arg), []byte(s.own(b.text)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a command, again and again while it only looks and does not yet
// see what it should.
func (s *session) run(t *testing.T, page string, step step) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		code, got, err := s.do(step.command)
		if err != nil {
			t.Fatalf("%s:%d: $ %s\n%v", page, step.line, step.command, err)
		}
		if code == step.code && answers(step.want, got) {
			return
		}
		if lookers.MatchString(step.command) && time.Now().Before(deadline) {
			continue
		}
		t.Fatalf("%s:%d: $ %s\nexit code %s, must be %s; not answered: %s (-documented +printed):\n%s",
			page, step.line, step.command, code, step.code, unanswered(step.want, got), cmp.Diff(strings.Join(step.want, "\n"), strings.TrimSuffix(got, "\n")))
	}
}

// do runs a command in the shell itself, and returns its exit code and what it
// has printed.
func (s *session) do(command string) (code, printed string, err error) {
	s.n++
	file, out := s.path(fmt.Sprintf("%d.sh", s.n)), s.path(fmt.Sprintf("%d.out", s.n))
	if err := os.WriteFile(file, []byte(s.own(command)+"\n"), 0o644); err != nil {
		return "", "", err
	}
	if _, err := fmt.Fprintf(s.stdin, ". %s >%s 2>&1; echo $?\n", file, out); err != nil {
		return "", "", err
	}
	if !s.done.Scan() {
		return "", "", errors.Join(errors.New("the shell has ended"), s.done.Err())
	}
	text, err := os.ReadFile(out)
	return s.done.Text(), s.theirs(string(text)), err
}
