package command

import (
	"os"
	"os/user"
	"slices"
	"strings"
)

// where programs are on a Debian system, for a PATH that lacks some of it, as
// a unit's or a cron job's does
var usualPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// BaseEnv is the environment of every command: PATH (this process's own, with
// the usual directories that it lacks at its end), HOME, LANG, and extra, which
// wins. Nothing else of this process's environment is in it. It is sorted.
func BaseEnv(extra map[string]string) []string {
	env := map[string]string{"PATH": basePath(), "HOME": home(), "LANG": "C.UTF-8"}
	if lang := os.Getenv("LANG"); lang != "" {
		env["LANG"] = lang
	}
	for name, value := range extra {
		env[name] = value
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

func basePath() string { return CompletePath(os.Getenv("PATH")) }

// CompletePath is the PATH of every command of a process whose own is path:
// with the usual directories that it lacks at its end.
func CompletePath(path string) string {
	var dirs []string
	for _, dir := range append(strings.Split(path, ":"), usualPath...) {
		// a relative directory would make what runs depend on where we stand
		if strings.HasPrefix(dir, "/") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, ":")
}

func home() string {
	if h := os.Getenv("HOME"); h != "" {
		return h
	}
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	return "/"
}

// lookup returns the value of name in env; the last one wins, as in os/exec.
func lookup(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
