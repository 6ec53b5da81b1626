package command

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func TestCannotRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "#!/bin/sh\n", 0o644)
	noLine := write("noline", "echo hello\n", 0o755)
	noInterpreter := write("nointerpreter", "#!/nonexistent/perl\n", 0o755)
	path := []string{"PATH=" + dir + ":relative:/nonexistent"}

	tests := []struct {
		c    Command
		want string
	}{
		{Command{}, "cannot run a command: it names no program"},
		{Command{Argv: []string{""}}, "cannot run a command: it names no program"},
		{Command{Argv: []string{"nginx"}, Env: path}, "cannot run nginx: not found in PATH " + dir + ":relative:/nonexistent: install it or give its full path"},
		{Command{Argv: []string{"no\nsuch"}, Env: path}, "cannot run no | such: not found in PATH " + dir + ":relative:/nonexistent: install it or give its full path"},
		{Command{Argv: []string{"plain"}, Env: path}, "cannot run plain: " + plain + " is not executable: try chmod +x " + plain},
		{Command{Argv: []string{dir}}, "cannot run " + dir + ": " + dir + " is a directory"},
		{Command{Argv: []string{dir + "/none"}}, "cannot run " + dir + "/none: " + dir + "/none file does not exist"},
		{Command{Argv: []string{noLine}}, "cannot run " + noLine + ": " + noLine + " is no program for this machine; a script needs #! and its interpreter in the first line"},
		{Command{Argv: []string{noInterpreter}}, "cannot run " + noInterpreter + ": the interpreter that the first line of " + noInterpreter + " names does not exist"},
		{Command{Argv: []string{"/bin/true"}, Dir: dir + "/none"}, "cannot run /bin/true: its working directory " + dir + "/none does not exist"},
		{Command{Argv: []string{"/bin/true", "a\x00b"}}, `cannot run /bin/true: a zero byte in "a\x00b"`},
		{Command{Argv: []string{"/bin/true"}, User: "no-such-user"}, "cannot run /bin/true as user no-such-user: no such user"},
	}
	for _, test := range tests {
		res := Run(t.Context(), test.c)
		if res.Err == nil || res.Err.Error() != test.want || res.OK() || res.ExitCode != -1 {
			t.Errorf("%q:\n got %v\nwant %s", test.c.Argv, res, test.want)
		}
	}
}

func TestProgramFromItsOwnPath(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tool")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho mine $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Command{
		{Argv: []string{"tool", "x"}, Env: []string{"PATH=/nonexistent:" + dir}},
		{Argv: []string{"./tool", "x"}, Dir: dir},
		{Argv: []string{script, "x"}},
	} {
		if res := Run(t.Context(), c); string(res.Output) != "mine x\n" {
			t.Errorf("%q: %v", c.Argv, res)
		}
	}
}

func TestProgramThatIsBeingWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tool")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("#!/bin/sh\necho ready\n"); err != nil {
		t.Fatal(err)
	}
	res := Run(t.Context(), Command{Argv: []string{path}})
	if !errors.Is(res.Err, syscall.ETXTBSY) {
		t.Errorf("while it is open: %v", res)
	}
	f.Close()
	if res := Run(t.Context(), Command{Argv: []string{path}}); string(res.Output) != "ready\n" {
		t.Errorf("after the close: %v", res)
	}
}

func TestUser(t *testing.T) {
	t.Setenv("HOME", "/nonexistent/mine")
	c := Command{
		Argv: []string{"/bin/sh", "-c", `id -un; id -Gn; echo $HOME; echo out >/dev/stderr; echo $KEEP; cat /dev/stdin`},
		Env:  BaseEnv(map[string]string{"KEEP": "kept"}), User: "daemon", Stdin: []byte("in\n"),
	}
	res := Run(t.Context(), c)
	if os.Geteuid() != 0 {
		if want := "cannot run /bin/sh as user daemon: not permitted: that takes root, with CAP_SETUID and CAP_SETGID, or sandbox = \"systemd-run\""; res.Err == nil || res.Err.Error() != want {
			t.Errorf("got %v, want %s", res, want)
		}
		return
	}
	if want := "daemon\ndaemon\n/usr/sbin\nout\nkept\nin\n"; string(res.Output) != want {
		t.Errorf("got %q (%v), want %q", res.Output, res, want)
	}
	c.User = "1" // daemon's number
	if byNumber := Run(t.Context(), c); string(byNumber.Output) != string(res.Output) {
		t.Errorf("by number: %v", byNumber)
	}
	c.Argv = []string{"/bin/sh", "-c", "echo $HOME"}
	c.Env = append(c.Env, "HOME=/srv")
	if res := Run(t.Context(), c); string(res.Output) != "/srv\n" {
		t.Errorf("a HOME that was asked for became %q", res.Output)
	}
}

func TestOwnUserNeedsNoRights(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if res := Run(t.Context(), Command{Argv: []string{"/bin/true"}, User: me.Username}); !res.OK() {
		t.Error(res)
	}
}

// What is kept is the head and the tail of what came, however it came.
func TestKeeper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k keeper
		var all []byte
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 3*tailSize), 0, 12).Draw(t, "sizes") {
			chunk := make([]byte, n)
			for i := range chunk {
				chunk[i] = byte(len(all) + i*7)
			}
			all = append(all, chunk...)
			k.add(chunk)
		}
		kept, dropped := k.result()
		if len(kept) > MaxOutput {
			t.Fatalf("kept %d bytes", len(kept))
		}
		if len(all) <= headSize+tailSize {
			if string(kept) != string(all) || dropped != 0 {
				t.Fatalf("changed a short output of %d bytes", len(all))
			}
			return
		}
		if string(kept[:headSize]) != string(all[:headSize]) || string(kept[len(kept)-tailSize:]) != string(all[len(all)-tailSize:]) {
			t.Fatal("not the head and the tail")
		}
		if int(dropped) != len(all)-headSize-tailSize {
			t.Fatalf("dropped %d", dropped)
		}
	})
}

// A line stays one line, printable and short, whatever a program prints.
func FuzzLine(f *testing.F) {
	f.Add([]byte("nginx: [emerg] x\n"), 600)
	f.Add([]byte("é\xff\x1b[0m\u202e\r\n\t"), 3)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = 1 + limit&0x3ff
		line := Line(b, limit)
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\u202e' }) {
			t.Errorf("%q", line)
		}
		if len(line) > 10*limit+8 {
			t.Errorf("%d bytes from a limit of %d", len(line), limit)
		}
	})
}
