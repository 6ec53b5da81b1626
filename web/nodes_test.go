package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"muster/cluster"
	"muster/metadata"
	"muster/nodes"
	"muster/order"
)

func someMember() cluster.Member {
	return cluster.Member{Name: "a", Addr: netip.MustParseAddr("10.0.0.1"), Port: 7946, Status: cluster.Alive}
}

// do sends a request to h, and returns what it answers.
func do(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

// Nodes are told as they are known; a wait that is none is a mistake.
func TestNodes(t *testing.T) {
	b, err := nodes.New(nodes.Config{
		View: func() cluster.View {
			return cluster.View{Self: "a", Settled: true, Members: []cluster.Member{someMember()}}
		},
		Ask: func(context.Context, cluster.Query) (nodes.Answers, error) { return nil, errors.New("nobody asks") },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{Nodes: b}).Local()
	for path, want := range map[string]int{
		"/v1/nodes": 200, "/v1/nodes?wait=1ms": 200, "/v1/nodes?wait=-1s": 400, "/v1/nodes?wait=soon": 400, "/v1/nodes/a": 404,
	} {
		status, body := do(t, h, http.MethodGet, path)
		if status != want || want == 400 && !strings.Contains(body, "wait=2s") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		var r nodes.Report
		if want == 200 && (json.Unmarshal([]byte(body), &r) != nil || len(r.Nodes) != 1 || r.Nodes[0].Name != "a" || !r.Alone) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if status, _ := do(t, h, http.MethodPost, "/v1/nodes"); status == 200 {
		t.Error("POST looks")
	}
}

// The list is changed by name; a GET changes nothing.
func TestMetadata(t *testing.T) {
	var full error
	r, err := metadata.Open(order.Config{
		Dir: t.TempDir(), Self: someMember, SetTags: func(context.Context, func(map[string]string)) error { return full },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{Metadata: r}).Local()
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v1/meta-data", 200, `{"node":"a","service":[]}`},
		{"PUT", "/v1/meta-data/services/nginx", 200, `{"node":"a","service":["nginx"]}`},
		{"PUT", "/v1/meta-data/services/api", 200, `{"node":"a","service":["api","nginx"]}`},
		{"PUT", "/v1/meta-data/services/a%20b", 400, `no service's name`},
		{"PUT", "/v1/meta-data/services/a%2Fb", 400, `no service's name`},
		{"GET", "/v1/meta-data/services/api", 405, `takes DELETE, PUT`},
		{"POST", "/v1/meta-data/services/x", 405, `takes DELETE, PUT`},
		{"DELETE", "/v1/meta-data/services/nginx", 200, `{"node":"a","service":["api"]}`},
		{"DELETE", "/v1/meta-data/services/nginx", 200, `{"node":"a","service":["api"]}`},
	} {
		if status, body := do(t, h, c.method, c.path); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	full = errors.New("no room")
	if status, body := do(t, h, "PUT", "/v1/meta-data/services/x"); status != 500 || !strings.Contains(body, "no room") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := do(t, h, "GET", "/v1/meta-data"); status != 200 || !strings.Contains(body, `["api"]`) {
		t.Errorf("after a failure: %s", body)
	}
}
