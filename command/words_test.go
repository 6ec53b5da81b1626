package command

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for want, argv := range map[string][]string{
		"nginx -t -q -c /etc/nginx/nginx.conf":   {"nginx", "-t", "-q", "-c", "/etc/nginx/nginx.conf"},
		`sh -c 'echo "it'\''s"; exit 1'`:         {"sh", "-c", `echo "it's"; exit 1`},
		"env 'A=$B' ''":                          {"env", "A=$B", ""},
		"echo größe '~' '#'":                     {"echo", "größe", "~", "#"},
		"new workers of the process in /run/pid": {"new workers of the process in /run/pid"},
		"":                                       nil,
	} {
		if got := Words(argv); got != want {
			t.Errorf("%q: %s\nwant %s", argv, got, want)
		}
	}
}

// A shell reads the same words.
func TestWordsInAShell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[ -~äß]{0,8}`), 1, 5).Draw(t, "words")
		line := Words(append([]string{"printf", `%s\0`}, words...))
		out, err := exec.Command("sh", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
			t.Fatalf("%s: %q, want %q", line, got, words)
		}
	})
}
