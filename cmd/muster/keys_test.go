package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/rpc"
)

// What a change of the keys leaves behind is said, node by node.
func TestChangeKeys(t *testing.T) {
	report := cluster.KeyReport{Nodes: 3, Answered: 3, Failed: 1, Messages: map[string]string{"web2": "no such\nkey", "db": "x"}, Keys: map[string]int{"b": 1, "a": 3}}
	for _, test := range []struct {
		name     string
		report   cluster.KeyReport
		err      error
		list     bool
		out, log string
		fails    string
	}{
		{"a list", cluster.KeyReport{Nodes: 3, Keys: report.Keys}, nil, true, "==> before\n==> after\n\na  [3/3]\nb  [1/3]\n", "", ""},
		{"a change", cluster.KeyReport{Nodes: 3}, nil, false, "==> before\n==> after\n", "", ""},
		{"an error", report, errors.New("1/3 nodes reported failure"), false, "==> before\n", "failed:  db    x\nfailed:  web2  \"no such\\nkey\"\n", "cannot do it: 1/3 nodes reported failure"},
		{"a failure", report, nil, false, "==> before\n", "failed:  db    x\nfailed:  web2  \"no such\\nkey\"\n", "cannot do it: 1 of 3 nodes reported an error"},
	} {
		var out, log bytes.Buffer
		a := &app{out: &out, err: &log}
		step := keyStep{"before", "after", "do it", test.list, func(context.Context, *rpc.Client) (cluster.KeyReport, error) { return test.report, test.err }}
		err := a.changeKeys(t.Context(), nil, step)
		if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff([]string{test.out, test.log}, []string{out.String(), log.String()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
