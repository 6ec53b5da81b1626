package templates

import (
	"embed"
	"maps"
	"slices"
	"strings"
)

//go:embed builtin/*.tmpl
var builtinFiles embed.FS

// A builtin is a built-in template; its text is builtin/NAME.tmpl.
type builtin struct {
	format Format
	vars   string // those it takes, apart by spaces
}

var builtins = map[string]builtin{
	"nginx-upstream":          {Nginx, "upstream port weight_tag max_fails fail_timeout method zone zone_size keepalive"},
	"nginx-map":               {Nginx, "variable source key_tag domain port default hostnames max_key"},
	"haproxy-backend":         {Haproxy, "backend port weight_tag mode balance check"},
	"haproxy-server-template": {Haproxy, "backend slots prefix port weight_tag mode balance check"},
	"keepalived-real-servers": {Keepalived, "virtual virtual_port port lvs_method lvs_sched protocol weight_tag check check_path check_timeout delay_loop persistence_timeout sorry_server sorry_port"},
	"varnish-directors": {VCL, "director kind port weight_tag probe probe_interval probe_timeout probe_window probe_threshold " +
		"host_header connect_timeout first_byte_timeout between_bytes_timeout max_connections"},
	"prometheus-file-sd": {JSON, "port port_tag tags labels"},
	"dnsmasq-hosts":      {Hosts, "domain group_tag"},
	"hosts-block":        {Hosts, "domain short"},
	"ssh-config":         {Hosts, "domain port port_tag user"}, // its values are names, addresses and numbers, and nothing else
	"munin-hosts":        {INI, "group group_tag port"},
	"ansible-hosts":      {INI, "group_tag prefix user port connection python"},
}

// Builtin returns the text and the format of the built-in template called
// name.
func Builtin(name string) (text string, f Format, ok bool) {
	b, ok := builtins[name]
	if !ok {
		return "", "", false
	}
	file, err := builtinFiles.ReadFile("builtin/" + name + ".tmpl")
	if err != nil {
		panic(err) // the file is compiled in
	}
	return string(file), b.format, true
}

// Builtins returns the names of the built-in templates, sorted.
func Builtins() []string { return slices.Sorted(maps.Keys(builtins)) }

// BuiltinVars returns the vars that the built-in called name takes.
func BuiltinVars(name string) []string { return strings.Fields(builtins[name].vars) }

// BuiltinBlock returns the sign that begins a comment in files of which the
// built-in called name writes but a block, and leaves the rest to others; ""
// for built-ins that write whole files, and for names of none.
func BuiltinBlock(name string) string {
	if name == "hosts-block" {
		return "#"
	}
	return ""
}
