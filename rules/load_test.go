package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"
)

var testKnown = Known{
	Builtins: []string{"haproxy-backend", "nginx-upstream"},
	Formats:  []string{"haproxy", "hosts", "ini", "json", "nginx", "shell", "text", "toml", "yaml"},
}

// loadFiles loads files that stand, as it were, in /rules.
func loadFiles(files map[string]string) (*Set, []string, Problems) {
	l := newLoader("/rules", testKnown, func(path string, limit int64) ([]byte, error) {
		rel, err := filepath.Rel("/rules", path)
		text, ok := files[rel]
		if err != nil || !ok {
			return nil, fmt.Errorf("cannot read %s: %w", path, fs.ErrNotExist)
		}
		if int64(len(text)) > limit {
			return nil, errors.New("too large")
		}
		return []byte(text), nil
	})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) == ".hcl" || filepath.Ext(name) == ".json" {
			l.parse(filepath.Join("/rules", name), []byte(files[name]))
		}
	}
	return l.finish()
}

// loadText loads one file, rules.hcl, or an archive of several.
func loadText(text string) (*Set, []string, Problems) {
	files := map[string]string{}
	a := txtar.Parse([]byte(text))
	if len(a.Files) == 0 {
		files["rules.hcl"] = text
	}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	return loadFiles(files)
}

func mustLoad(t *testing.T, text string) *Set {
	t.Helper()
	set, _, problems := loadText(text)
	if len(problems) > 0 {
		problems.Print(t.Output(), false)
		t.Fatal("the rules do not load")
	}
	return set
}

// TestLanguageExamples loads the examples of docs/language.md's first pages.
func TestLanguageExamples(t *testing.T) {
	set := mustLoad(t, languageExamples)
	if len(set.Rules) != 4 || len(set.Tests) != 1 {
		t.Errorf("%d rules and %d tests", len(set.Rules), len(set.Tests))
	}
}

const languageExamples = `
-- a.hcl --
rule "web-upstreams" {
  description = "nginx sends traffic to every live web node"

  members {                              # whom the rule is about; the templates' .Members
    status = ["alive"]                   # the default
    tags   = { role = "web" }            # anchored regular expressions, as serf members -tag
    name   = "web-.*"                    # likewise
    where  = tonumber(member.tags.weight) > 0     # any HCL expression, per member
  }

  self { tags = { role = "lb" } }        # the rule is in force only while this node matches

  template {
    source      = "nginx-upstream"       # a built-in's name, or a path (contains "/" or ends in .tmpl)
    destination = "/etc/nginx/conf.d/web.conf"
    vars        = { upstream = "web", port = 8080 }
    perms       = "0644"                 # and user, group; kept as they are where not said
  }                                      # any number of templates: one rule is one transaction

  check  = ["nginx", "-t"]               # argv, no shell; all files in place or none
  reload = ["nginx", "-s", "reload"]

  wait   = "200ms:2s"                    # settle: min of quiet, at most max (default "100ms:2s"; "0s" acts at once)
  every  = "1s"                          # and never reload more often than this
  guard {
    min_members = 1                      # never render fewer (default 1; 0 allows empty)
    max_loss    = "50%"                  # a change that drops more of the last applied set is held …
    hold        = "60s"                  # … until it has lasted this long (0: until it is overridden)
    grace       = "30s"                  # a failed (not left) member stays in for this long
  }
}
-- b.hcl --
rule "compile" {
  on   = ["user:compile"]                # Serf's filters: member-join, member-leave, member-failed,
  self { tags = { role = "build" } }     # member-update, member-reap, user, user:NAME, query, query:NAME, *
  when = event.payload != ""

  run {
    command = ["/usr/local/lib/muster/compile", event.payload]
    timeout = "10m"                      # default 30s; the whole process group is killed
    stdin   = "payload"                  # payload | json | serf (Serf's own lines); default serf
    env     = { REGISTRY = "10.0.0.5:5000" }
    user    = "builder"
    retries = 2
  }
  send {                                 # the next link of the chain, only on success
    event   = "pull"
    payload = run.stdout
  }
}

rule "load" {
  on = ["query:load"]
  respond { command = ["uptime"] }       # or: respond { text = "I am OK" }
}

rule "power-cycle" {
  on      = ["member-failed"]
  members { tags = { role = "db" } }
  for     = "2m"                         # only if it is still failed after two minutes
  nodes   = "one"                        # one live node among those with this rule in force; default "all"
  quorum  = 3                            # and only while at least so many members are alive
  run { command = ["/usr/local/sbin/power-cycle", member.name] }
}
-- c.test.hcl --
test "a failed web node leaves the upstream" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "10.0.0.2", tags = { role = "web" }, status = "failed" },
  ]
  self = "web1"
  expect "web-upstreams" {
    file "/etc/nginx/conf.d/web.conf" {
      contains = ["10.0.0.1:8080"]
      lacks    = ["10.0.0.2"]
    }
  }
}
`
