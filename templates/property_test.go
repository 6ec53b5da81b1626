package templates

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

// parsePlain parses without keeping anything between executions: all is left
// to text/template.
func parsePlain(text string, o Options) (*Template, error) {
	p, err := newParser(text, o)
	if err != nil {
		return nil, err
	}
	p.plain = true
	return p.template()
}

// drawBody draws what stands in a range over members.
func drawBody(t *rapid.T, depth int) string {
	atoms := []string{"x ", "web-{{.Name}} ", "{{.Name}} ", "{{.Addr}} ", "{{.Addr}}:{{.Port}} ", "{{.Status}} ", "{{.Tags.role}} ",
		`{{.Tags.w | default "1"}} `, "{{.Tags.w | default $.Vars.port | port}} ", "{{between 1 9 .Tags.w}} ", "{{$.Vars.v}} ", "{{$.Rule}} ",
		"{{$.Self.Name}} ", "{{len $.Members}} ", `{{template "t" .}} `, `{{tag . "role" | upper}} `, "# {{.Tags.x}}\n", `"{{.Tags.x}}" `, ";\n",
		`{{printf "%s-%d" .Name .Port}} `, `{{index (splitList "," .Tags.x) 1}} `, "{{toJson .Tags | sha256sum}} ", "{{.Tags.x | quote}} ",
		"{{/* a comment */}}", `{{.Name | like "[a-z]+" | unlike "b"}} `, `{{if contains "b" .Tags.x}}b {{end}}`, "{{$v := .Tags.role}}{{$v}} ", "{{upper .Addr}} ", `{{if hasKey .Tags "x"}}h {{end}}`, "{{$top}} ", "{{.Tags.nix}}y "}
	var b strings.Builder
	for range rapid.IntRange(0, 4).Draw(t, "atoms") {
		b.WriteString(rapid.SampledFrom(atoms).Draw(t, "atom"))
		if depth == 0 {
			continue
		}
		inner := drawBody(t, depth-1)
		switch rapid.IntRange(0, 7).Draw(t, "nest") {
		case 0:
			fmt.Fprintf(&b, "{{if .Tags.x}}%s{{else}}%s{{end}}", inner, drawBody(t, 0))
		case 1:
			b.WriteString(`{{with .Tags.x}}{{.}} {{$.Vars.port}} {{with $.Vars.v}}{{. | upper}} {{end}}{{else}}none {{end}}`)
		case 2:
			b.WriteString(`{{range splitList "," .Tags.x}}{{.}} {{end}}`)
		case 3:
			fmt.Fprintf(&b, "{{with .}}%s{{end}}", inner)
		}
	}
	return b.String() + ";\n"
}

func drawTemplate(t *rapid.T) string {
	var b strings.Builder
	b.WriteString(`{{define "t"}}{{.Name}}/{{.Tags.role}} {{end}}{{$top := .Vars.v}}{{$last := "l"}}`)
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		body := drawBody(t, 2)
		switch rapid.IntRange(0, 11).Draw(t, "part") {
		case 0:
			b.WriteString("text {{.Rule}} {{len .Members}};\n")
		case 1:
			fmt.Fprintf(&b, "{{range .AllMembers}}%s{{end}}", body)
		case 2:
			fmt.Fprintf(&b, `{{range members "role=web"}}%s{{else}}none;`+"\n{{end}}", body)
		case 3:
			fmt.Fprintf(&b, "{{range $m := .Members}}{{$m.Name}} %s{{else}}none;\n{{end}}", body)
		case 4:
			fmt.Fprintf(&b, "{{range $i, $m := .Members}}{{$i}} {{$m.Name}} %s{{end}}", body)
		case 8:
			fmt.Fprintf(&b, "{{range $i, $m := .Members}}{{if $i}}x{{end}} {{$i}}%s{{end}}", body)
		case 9:
			fmt.Fprintf(&b, "{{range reverse .Members}}%s{{end}}{{with index .AllMembers 0}}%s{{end}}", body, drawBody(t, 1))
		case 5:
			by := rapid.SampledFrom([]string{"groupBy", "groupByItem"}).Draw(t, "by")
			fmt.Fprintf(&b, `{{range $r, $ms := %s .Members "role"}}{{$r}} {{range $ms}}%s{{end}}{{end}}`, by, body)
		case 6:
			fmt.Fprintf(&b, `{{range .Members}}{{if eq .Tags.role "db"}}{{continue}}{{end}}%s{{end}}`, body)
		case 7:
			fmt.Fprintf(&b, "{{if .Vars.port}}{{range .Members}}%s{{end}}{{end}}{{$last}} ;\n", body)
		default:
			fmt.Fprintf(&b, "{{range .Members}}%s{{else}}none;\n{{end}}", body)
		}
	}
	return b.String()
}

// drawMembers changes ms: members come, go, and change.
func drawMembers(t *rapid.T, ms []cluster.Member) []cluster.Member {
	ms = slices.Clone(ms)
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		name := fmt.Sprintf("n%d", rapid.IntRange(0, 9).Draw(t, "name"))
		i := slices.IndexFunc(ms, func(m cluster.Member) bool { return m.Name == name })
		if i >= 0 {
			ms = slices.Delete(ms, i, i+1)
		}
		if i >= 0 && rapid.Bool().Draw(t, "gone") {
			continue
		}
		value := rapid.SampledFrom([]string{"", "web", "db", "a,b", "7", "x;}", "a\nb", `q"`, "x$", "\xff"})
		tags := map[string]string{}
		for _, k := range []string{"role", "x", "w"} {
			if rapid.Bool().Draw(t, "has") {
				tags[k] = value.Draw(t, "value")
			}
		}
		ms = append(ms, cluster.Member{Name: name, Addr: rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.0.0.1"),
			netip.MustParseAddr("fd00::1"), {}}).Draw(t, "addr"), Port: uint16(rapid.IntRange(1, 3).Draw(t, "port")),
			Status: cluster.Alive, Tags: tags})
	}
	cluster.SortMembers(ms)
	return ms
}

// TestKeptEqualsFresh proves that what is kept between executions, and what is
// printed without text/template, makes no difference: neither to the bytes,
// nor to who is refused and why, nor to the errors.
func TestKeptEqualsFresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawTemplate(t)
		o := Options{Name: "t", Format: rapid.SampledFrom([]Format{Nginx, Text, Shell, Haproxy}).Draw(t, "format")}
		kept, err := Parse(text, o)
		plain, plainErr := parsePlain(text, o)
		if fmt.Sprint(err) != fmt.Sprint(plainErr) {
			t.Fatalf("%s:\n%v, and plain %v", text, err, plainErr)
		}
		if err != nil {
			return
		}
		var members, all []cluster.Member
		d := Data{Rule: "r", Vars: map[string]any{"v": "v1", "port": 80}}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			members, all = drawMembers(t, members), drawMembers(t, all)
			if rapid.IntRange(0, 5).Draw(t, "newVars") == 0 {
				d.Vars = map[string]any{"v": rapid.SampledFrom([]string{"v2", "v1", "bad;"}).Draw(t, "v"), "port": 81}
			}
			d.Members, d.AllMembers, d.Self = members, all, cluster.Member{Name: "self"}
			d.Select = func(string) ([]cluster.Member, error) { return all[:len(all)/2], nil }
			fresh, err := Parse(text, o)
			if err != nil {
				t.Fatal(err)
			}
			got, gotErr := kept.Execute(d)
			want, wantErr := plain.Execute(d)
			anew, anewErr := fresh.Execute(d)
			if diff := cmp.Diff(describeResult(want, wantErr), describeResult(got, gotErr)); diff != "" {
				t.Fatalf("%s:\nplain and kept differ (-plain +kept):\n%s", text, diff)
			}
			if diff := cmp.Diff(describeResult(anew, anewErr), describeResult(got, gotErr)); diff != "" {
				t.Fatalf("%s:\nfresh and kept differ (-fresh +kept):\n%s", text, diff)
			}
		}
	})
}

// describeResult shows a result for comparison. The words of an error of a
// function depend on who called it; its place does not.
func describeResult(r Result, err error) []string {
	if e := isError(err); e != nil {
		return []string{fmt.Sprintf("%d:%d", e.Line, e.Column)}
	}
	out := []string{string(r.Bytes), fmt.Sprintf("%+v", r.Reads)}
	for _, f := range r.Refused {
		if f.Expr == "" {
			f.Reason = ""
		}
		out = append(out, fmt.Sprintf("%s:%d:%d %q %q %s", f.Member, f.Line, f.Column, f.Expr, f.Value, f.Reason))
	}
	return out
}
