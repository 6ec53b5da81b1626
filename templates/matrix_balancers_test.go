package templates

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// quickCompiler compiles a VCL of thousands of lines in seconds.
const quickCompiler = "cc_command=exec gcc -O1 -fpic -shared -o %o %s"

// Varnish answers with the strings that it reads, each member's at its own path.
func TestMatrixVarnish(t *testing.T) {
	varnishd, r := program(t, "varnishd"), rowOf(VCL)
	cells := r.cells(t, numbered(`if (req.url == "/#") { synthetic("x @ y"); }`, `if (req.url == "/#") { synthetic("@" + {"a @"}); } // @`,
		"/** @*/ if (req.url == \"/#\") { # @\n synthetic(\"\"\"@\"\"\"); }"), hostile)
	compareAll(t, "varnishd", cells, func(files []string) (tokens [][]string) {
		dir := shortDir(t)
		args := []string{"-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-f", filepath.Join(dir, "x.vcl"), "-s", "malloc,8m", "-p", quickCompiler}
		vcl, calls := "vcl 4.1;\nbackend default none;\nsub vcl_recv { return (synth(404)); }\n", ""
		for i, text := range files {
			args = append(args, "-a", fmt.Sprintf("f%d=%s/%d.sock", i, dir, i))
			vcl += fmt.Sprintf("sub f%d {\n%s\n}\n", i, text)
			calls += fmt.Sprintf(" if (local.socket == \"f%d\") { call f%d; }\n", i, i)
		}
		write(t, filepath.Join(dir, "x.vcl"), []byte(vcl+"sub vcl_synth {\n synthetic(\"\");\n"+calls+" return (deliver);\n}\n"))
		serve(t, filepath.Join(dir, fmt.Sprint(len(files)-1, ".sock")), varnishd, args...)
		for i := range files {
			tokens = append(tokens, served(t, filepath.Join(dir, fmt.Sprint(i, ".sock")), len(hostile)*11/10))
		}
		return tokens
	})
}

// Varnish compiles names and bare words of members; nothing of what it makes of
// a hostile one is of another kind.
func TestMatrixVarnishNames(t *testing.T) {
	r := rowOf(VCL)
	all := "vcl 4.1;\nbackend default none;\n"
	for i, c := range r.cells(t, numbered("sub s@-#-CELL { }", "sub a_CELL-#-@ { set req.http.a = \"@\"; }", "sub a_CELL-#-@-x { std.log(\"@\"); }"), hostile) {
		for j, text := range []string{string(c.clean), string(c.hostile)} {
			all += strings.ReplaceAll(text, "CELL", fmt.Sprint(i, "_", j))
		}
	}
	all = strings.Replace(all, ";", ";\nimport std;", 1)
	if said, err := varnishSays(t, []byte(all), "-p", quickCompiler, "-p", "vcc_err_unref=off"); err != nil {
		t.Errorf("varnishd: %v: %s", err, said)
	}
}

// keepalived has nothing to say of what members say, in no shape: there are no
// errors that an honest value does not make.
func TestMatrixKeepalived(t *testing.T) {
	r := rowOf(Keepalived)
	for _, shape := range []string{
		"global_defs {\n router_id @\n}\n", "global_defs {\n router_id \"@\" # @\n}\n", "global_defs {\n router_id 'a@b'\n}\n",
		"global_defs {\n notification_email {\n @x\n}\n}\n", "# @\n", "! @ @ @\nglobal_defs {\n}\n",
	} {
		var all strings.Builder
		for _, c := range r.cells(t, []string{shape}, injections("x\nfoo bar", strings.Repeat("x ", 125)+"foo", strings.Repeat("y ", 600))) {
			all.Write(c.clean)
			all.Write(c.hostile)
		}
		if said, err := keepalivedSays(t, []byte(all.String())); err != nil || said != "" {
			t.Errorf("%q: keepalived says: %v: %s", shape, err, said)
		}
	}
	// This is what would happen.
	if said, err := keepalivedSays(t, []byte("# "+strings.Repeat("x ", 511)+"foo bar\n")); err == nil {
		t.Errorf("keepalived does not take long comments apart, so that their bound is needless: %s", said)
	}
}
