package templates

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Format is the syntax of a file, as far as escaping needs to know it.
type Format string

// The formats.
const (
	Nginx      Format = "nginx"      // nginx.org/en/docs; ngx_conf_file.c tells the tokens
	Haproxy    Format = "haproxy"    // docs.haproxy.org, "Quoting and escaping"
	INI        Format = "ini"        // munin, Ansible's INI inventory, git: what they have in common
	YAML       Format = "yaml"       // yaml.org/spec/1.2.2, and 1.1's booleans
	JSON       Format = "json"       // RFC 8259
	TOML       Format = "toml"       // toml.io/en/v1.0.0
	Shell      Format = "shell"      // POSIX sh: scripts, environment files
	Hosts      Format = "hosts"      // hosts(5), dnsmasq's addn-hosts
	VCL        Format = "vcl"        // varnish-cache.org/docs, "VCL Syntax"
	Keepalived Format = "keepalived" // keepalived.conf(5)
	Text       Format = "text"       // anything else: lines of printable characters
)

// Formats returns every format.
func Formats() []Format {
	return []Format{Nginx, Haproxy, INI, YAML, JSON, TOML, Shell, Hosts, VCL, Keepalived, Text}
}

// ParseFormat returns the format called name. Its error lists the formats.
func ParseFormat(name string) (Format, error) {
	f := Format(name)
	if slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	hint := ""
	if s := nearest(name, names); s != "" {
		hint = fmt.Sprintf("; did you mean %q?", s)
	}
	return "", fmt.Errorf("no format %q: the formats are %s%s", name, strings.Join(names, ", "), hint)
}

// FormatFor tells a file's format from its path, and where that says nothing
// from what the commands mention that check it and have it read; Text when
// nothing tells it.
func FormatFor(destination string, mentioned ...string) Format {
	if f := formatOfPath(destination); f != "" {
		return f
	}
	if !slices.Contains(prose, strings.ToLower(path.Ext(destination))) {
		return formatOfCommands(mentioned)
	}
	return Text
}

// prose are the endings of files that are no program's configuration, whoever
// serves them or is told of them.
var prose = []string{".txt", ".md", ".csv", ".html", ".htm", ".xml", ".pem", ".crt", ".key", ".js", ".lua"}

// programs are whose files have a format of their own, in each of them.
var programs = map[string]Format{
	"nginx": Nginx, "openresty": Nginx, "haproxy": Haproxy, "keepalived": Keepalived, "munin": INI, "ansible": INI,
	"varnish": VCL, "varnishd": VCL, "varnishreload": VCL, "varnishadm": VCL,
}

// formatOfCommands tells a format from the programs among the words of texts.
// Two that differ tell nothing.
func formatOfCommands(texts []string) Format {
	found := Text
	for _, text := range texts {
		for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !strings.ContainsRune(alnum, r) }) {
			f, ok := programs[word]
			switch {
			case ok && found != Text && found != f:
				return Text
			case ok:
				found = f
			}
		}
	}
	return found
}

// formatOfPath tells a file's format from its path; empty when that says nothing.
func formatOfPath(destination string) Format {
	base := strings.ToLower(path.Base(destination))
	switch ext := path.Ext(base); ext {
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	case ".toml":
		return TOML
	case ".ini":
		return INI
	case ".sh", ".bash", ".env":
		return Shell
	case ".hosts":
		return Hosts
	case ".vcl":
		return VCL
	}
	dirs := strings.Split(strings.ToLower(path.Dir(destination)), "/")
	within := func(name string) bool { return slices.Contains(dirs, name) }
	switch {
	case base == "nginx.conf" || within("nginx"):
		return Nginx
	case base == "haproxy.cfg" || within("haproxy"):
		return Haproxy
	case base == "keepalived.conf" || within("keepalived"):
		return Keepalived
	case within("varnish"):
		return VCL
	case base == "munin.conf" || base == "ansible.cfg" || within("munin") || within("munin-conf.d") || within("ansible"):
		return INI
	case base == "hosts":
		return Hosts
	case path.Dir(destination) == "/etc/default" || path.Dir(destination) == "/etc/sysconfig":
		return Shell
	}
	return ""
}
