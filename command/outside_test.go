package command

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What systemd is asked for: limits that hold without us, and an environment
// whose values nobody reads in a list of processes.
func TestViaSystemd(t *testing.T) {
	c := Command{
		Argv: []string{"/bin/sh", "-c", `echo "$HOME" ${X} %n`}, Env: []string{"HOME=" + home(), "PATH=/usr/bin:/bin", "SECRET=s3cr3t"},
		Timeout: 1500 * time.Millisecond, User: "www-data", Dir: "/srv", Outside: true, Whole: true, Stdin: []byte("x"), KeepStdout: 5,
	}
	got, err := c.viaSystemd("muster-run-x.service")
	if err != nil {
		t.Fatal(err)
	}
	want := Command{
		Argv: []string{
			"systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--unit=muster-run-x.service",
			"--description=/bin/sh, run by muster", "--property=RuntimeMaxSec=3", "--property=TimeoutStopSec=2",
			"--uid=www-data", "--working-directory=/srv", "--setenv=PATH", "--setenv=SECRET",
			"--", "/bin/sh", "-c", `echo "$$HOME" $${X} %n`,
		},
		Env: c.Env, Timeout: c.Timeout, Stdin: c.Stdin, KeepStdout: 5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.User = ""
	if got, _ := c.viaSystemd("x"); !strings.Contains(strings.Join(got.Argv, " "), "--setenv=HOME") {
		t.Errorf("HOME is not handed on: %q", got.Argv)
	}
	c.Argv[0] = "no-such-program"
	if _, err := c.viaSystemd("x"); err == nil || !strings.Contains(err.Error(), "cannot run no-such-program: not found in PATH") {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestOutsideWithoutSystemd(t *testing.T) {
	if _, err := os.Stat(booted); err == nil {
		t.Skip("systemd runs here; package install boots one to test with")
	}
	res := Run(t.Context(), Command{Argv: []string{"true"}, Outside: true})
	if !errors.Is(res.Err, ErrNoSystemd) || res.OK() {
		t.Errorf("got %+v, want ErrNoSystemd", res)
	}
	if want := "cannot run true by systemd-run: systemd does not run here: leave out `sandbox`"; res.Err.Error() != want {
		t.Errorf("got  %s\nwant %s", res.Err, want)
	}
}
