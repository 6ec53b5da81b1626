package demo

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"muster/web"
)

// The files that lb keeps in step, below the demo's directory.
const (
	webConf  = "nginx/web.conf"
	appCfg   = "haproxy/app.cfg"
	hostsINI = "ansible/hosts.ini"
)

var kept = []string{webConf, appCfg, hostsINI}

// lb is the node whose files are shown. The others are called by their role.
const lb = "lb"

var cast = []string{lb, "web1", "web2", "app1", "app2"}

//go:embed files
var files embed.FS

// A stage is a demo under way. It belongs to Run's goroutine.
type stage struct {
	cfg      Config
	dir      string
	sites    map[string]site
	children map[string]*process // by name, the latest of each
	nginx    string              // the program; empty: not run
	haproxy  string              // the program; empty: not asked
	traffic  *traffic            // nil without nginx
	client   *web.Client         // of lb
	acts     int
	began    time.Time
}

// open finds room for the demo and makes its directory.
func open(cfg Config) (*stage, error) {
	found, err := sites(len(cast))
	if err != nil {
		return nil, err
	}
	s := &stage{cfg: cfg, sites: map[string]site{}, children: map[string]*process{}, began: time.Now()}
	for i, name := range cast {
		s.sites[name] = found[i]
	}
	if s.dir, err = os.MkdirTemp(tempDir(), "muster-demo-"); err != nil {
		return nil, fmt.Errorf("cannot make a directory for the demo: %w", err)
	}
	s.client = web.NewClient(s.node(lb, "sock"))
	if err := s.furnish(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot furnish the demo's directory: %w", err), os.RemoveAll(s.dir))
	}
	return s, nil
}

// tempDir is short enough for the path of a socket below it, which has at most
// 107 bytes (unix(7)).
func tempDir() string {
	if dir := os.TempDir(); len(dir) <= 70 {
		return dir
	}
	return "/tmp"
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// node is the path of one of a node's own files: hcl, log, sock or state.
func (s *stage) node(name, kind string) string { return s.path("nodes/" + name + "." + kind) }

// furnish writes what an administrator would have written before.
func (s *stage) furnish() error {
	for _, dir := range []string{"nodes", "nodes/none", "nginx", "haproxy", "ansible", "rules.d/templates"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	for name, site := range s.sites {
		if err := os.WriteFile(s.node(name, "hcl"), []byte(s.config(name, site)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// config is the muster.hcl of a node. lb knows where the first ones are, and
// goes without a word, so that the demo ends fast; it has a page, which everybody
// on this machine may look at. Serf's RPC is served on the
// sockets alone: its port is for whoever runs Serf on this machine.
func (s *stage) config(name string, at site) string {
	seeds, dir, leave, page := []string{lb}, "nodes/none", "", ""
	if name == lb {
		seeds, dir = []string{"web1", "web2", "app1"}, "rules.d"
		page = fmt.Sprintf("\n  address = %s\n  read    = \"open\"", quote(at.pageAt()))
		leave = "\n  leave_on_terminate      = false\n  skip_leave_on_interrupt = true"
	}
	for i, seed := range seeds {
		seeds[i] = quote(s.sites[seed].gossipAt())
	}
	return fmt.Sprintf(`cluster {
  node_name  = %s
  bind       = %s
  start_join = [%s]
  rpc_addr   = "off"
  tags       = { role = %s, port = %d }%s
}
rules { dir = %s }
http {
  socket = %s%s
}
log { format = "json" }
state { dir = %s }
`, quote(name), quote(at.gossipAt()), strings.Join(seeds, ", "), quote(role(name)), at.service, leave,
		quote(s.path(dir)), quote(s.node(name, "sock")), page, quote(s.node(name, "state")))
}

// role is a node's name without its number.
func role(name string) string { return strings.TrimRight(name, "0123456789") }

// quote is a string as HCL reads it.
func quote(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(text))
}

// list is a list of strings as HCL reads it.
func list(items ...string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// install writes one of the embedded files, with what edit makes of it.
func (s *stage) install(name, as string, edit func(string) string) error {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path(as), []byte(edit(string(text))), 0o644)
}

func asItIs(text string) string { return text }

// listening fills in where lb's service listens.
func (s *stage) listening(text string) string {
	return strings.ReplaceAll(text, "@LISTEN@", s.sites[lb].serviceAt())
}

// withoutCommands is a rule without its last paragraph, which says what to run.
func withoutCommands(rule string) string {
	return rule[:strings.LastIndex(rule, "\n\n")] + "\n}\n"
}

// writeRules writes the rules, without commands of what is not installed.
func (s *stage) writeRules() error {
	locals := fmt.Sprintf("locals {\n  dir     = %s\n  nginx   = %s\n  haproxy = %s\n}\n",
		quote(s.dir), list(s.nginxArgs()...), quote(s.haproxy))
	web, app := asItIs, asItIs
	if s.nginx == "" {
		web = withoutCommands
	}
	if s.haproxy == "" {
		app = withoutCommands
	}
	return errors.Join(
		os.WriteFile(s.path("rules.d/locals.hcl"), []byte(locals), 0o644),
		s.install("web.hcl", "rules.d/web.hcl", web),
		s.install("app.hcl", "rules.d/app.hcl", app),
		s.install("hosts.hcl", "rules.d/hosts.hcl", asItIs),
		s.install("hosts.ini.tmpl", "rules.d/templates/hosts.ini.tmpl", asItIs),
	)
}

// start starts a node.
func (s *stage) start(name string) error {
	argv := []string{s.cfg.Program, "demo", "node", "--serve", s.sites[name].serviceAt(), "--answer", name}
	if name == lb {
		argv = []string{s.cfg.Program, "agent"}
	}
	p, err := start(name, s.node(name, "log"), syscall.SIGKILL, append(argv, "--config", s.node(name, "hcl"))...)
	if err == nil {
		s.children[name] = p
	}
	return err
}

// close ends every child and removes the directory. Nodes are not asked to
// leave: the cluster ends with them. lb and nginx have children of their own
// and end those.
func (s *stage) close() error {
	if s.traffic != nil {
		s.traffic.stop()
	}
	for name, p := range s.children {
		if name == lb || name == "nginx" {
			p.tell(syscall.SIGTERM)
		} else {
			p.tell(os.Kill)
		}
	}
	for _, p := range s.children {
		p.end(12 * time.Second)
	}
	var err error
	for range 10 { // a check of lb's that outlived it may be writing its last
		if err = os.RemoveAll(s.dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("cannot remove the demo's directory: %w", err)
}
