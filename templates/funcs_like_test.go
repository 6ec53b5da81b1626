package templates

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func TestLike(t *testing.T) {
	members := func(names ...string) (ms []cluster.Member) {
		for _, n := range names {
			ms = append(ms, cluster.Member{Name: n})
		}
		return ms
	}
	for _, c := range []struct{ expr, want string }{
		{`like "[a-z]+" .Name`, "abc"},
		{`.Name | like "a|abc|B"`, "abc"},
		{`.Name | unlike "abc"`, "a1,ab_c"},
		{`.Name | unlike "a"`, "a1,ab_c,abc"},
		{`.Name | unlike "(?i)ABC"`, "a1,ab_c"},
		{`.Name | like "a.*" | like "...?"`, "a1,abc"},
		{`.Name | like "a[0-9]" | unlike "x"`, "a1"}, // what one has refused the next does not take back
		{`.Name | unlike "abc" | like ".*" | default "x"`, "a1,ab_c"},
	} {
		tm, err := Parse("{{range .Members}}{{"+c.expr+"}},{{end}}", Options{Format: Text})
		if err != nil {
			t.Fatal(err)
		}
		r, err := tm.Execute(Data{Members: members("a1", "ab_c", "abc")})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(string(r.Bytes), ","); got != c.want {
			t.Errorf("%s: %q instead of %q", c.expr, got, c.want)
		}
	}
}

func TestLikeSaysWhy(t *testing.T) {
	tm, err := Parse(`{{range .Members}}{{.Name | like "[a-z]+" | unlike "root"}} {{end}}`, Options{Format: Text})
	if err != nil {
		t.Fatal(err)
	}
	r, err := tm.Execute(Data{Members: []cluster.Member{{Name: "1"}, {Name: "a"}, {Name: "root"}}})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(r.Bytes)}
	for _, f := range r.Refused {
		got = append(got, fmt.Sprintf("%s: %s", f.Member, f.Reason))
	}
	want := []string{"a ", "1: it does not match [a-z]+", "root: it matches root"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A pattern that is none is the template's mistake; many are not kept.
func TestLikePatterns(t *testing.T) {
	d := Data{Members: []cluster.Member{{Name: "a"}}}
	tm, err := Parse(`{{range .Members}}{{.Name | like "a)(["}}{{end}}`, Options{Format: Text})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tm.Execute(d); err == nil || !strings.Contains(err.Error(), "unexpected )") {
		t.Errorf("%q, %v", r.Bytes, err)
	}
	tm, err = Parse(`{{range untilStep 0 1000 1}}{{like (print "a|" .) "a"}}{{end}}`, Options{Format: Text})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tm.Execute(d); err != nil || len(r.Bytes) != 1000 {
		t.Errorf("%q, %v", r.Bytes, err)
	}
}

func TestGroupByItem(t *testing.T) {
	member := func(name, role string) cluster.Member {
		return cluster.Member{Name: name, Tags: map[string]string{"role": role}}
	}
	tm, err := Parse(`{{range $r, $ms := groupByItem .Members "role"}}{{$r}}:{{range $ms}} {{.Name}}{{end}};{{end}}`, Options{Format: Text})
	if err != nil {
		t.Fatal(err)
	}
	r, err := tm.Execute(Data{Members: []cluster.Member{member("a", "web, db"), member("b", ""), member("c", "web,,web"), member("d", "\x00,web"), {Name: "e"}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "db: a;web: a c;"; string(r.Bytes) != want || len(r.Refused) != 1 {
		t.Errorf("%q instead of %q, refused %v", r.Bytes, want, r.Refused)
	}
}
