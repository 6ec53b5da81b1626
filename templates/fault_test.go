package templates

import (
	"fmt"
	"strings"
	"testing"

	"muster/cluster"
)

// TestAuthorsFault proves that what no member has done is an error, with its

// TestNoVar pins what is said about .Vars.NAME where there is none, besides.
func TestNoVar(t *testing.T) {
	many := map[string]any{}
	for i := range 1000 {
		many[fmt.Sprintf("name\n%d", i)] = i
	}
	for _, c := range []struct {
		vars map[string]any
		want string
	}{
		{nil, `t:1:3: cannot print .Vars.port: .Vars has no "port"; it is empty; say what to print instead: ` + "`default`"},
		{map[string]any{"prot": 80}, `.Vars has no "port"; it has prot; did you mean "prot"?`},
		{map[string]any{"m": threeMembers()}, `.Vars has no "port"; it has m; say`},
		{many, `it has name\n0, name\n1, `},
	} {
		_, err := parsed(t, Text, "{{.Vars.port}}").Execute(Data{Vars: c.vars})
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}
