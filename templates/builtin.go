package templates

import (
	"embed"
	"slices"
)

//go:embed builtin/*.tmpl
var builtinFiles embed.FS

// builtins holds the format of each built-in template; its text is
// builtin/NAME.tmpl.
var builtins = map[string]Format{
	"nginx-upstream":          Nginx,
	"nginx-map":               Nginx,
	"haproxy-backend":         Haproxy,
	"keepalived-real-servers": Keepalived,
	"varnish-directors":       VCL,
	"prometheus-file-sd":      JSON,
	"dnsmasq-hosts":           Hosts,
	"hosts-block":             Hosts,
	"ssh-config":              Hosts, // its values are names, addresses and numbers, and nothing else
	"munin-hosts":             INI,
	"ansible-hosts":           INI,
	"haproxy-server-template": Haproxy,
}

// Builtin returns the text and the format of the built-in template called
// name.
func Builtin(name string) (text string, f Format, ok bool) {
	f, ok = builtins[name]
	if !ok {
		return "", "", false
	}
	b, err := builtinFiles.ReadFile("builtin/" + name + ".tmpl")
	if err != nil {
		panic(err) // the file is compiled in
	}
	return string(b), f, true
}

// Builtins returns the names of the built-in templates, sorted.
func Builtins() []string {
	var names []string
	for name := range builtins {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// BuiltinBlock returns the sign that begins a comment in files of which the
// built-in called name writes but a block, and leaves the rest to others; ""
// for built-ins that write whole files, and for names of none.
func BuiltinBlock(name string) string {
	if name == "hosts-block" {
		return "#"
	}
	return ""
}
