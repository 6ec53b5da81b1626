package web

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/nodes"
)

// What the short paths answer, to the letter.
func TestREST(t *testing.T) {
	api := New(newConfig(t))
	const told = `"loadavg1":1,"loadavg5":2,"loadavg15":3,"countCPUs":4,"totalmem":1073741824,"freemem":536870912}`
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/nodes/alive", 200, `{"alivePeers":["127.0.0.1","127.0.0.2","127.0.0.3"]}`},
		// web3 has failed, and does not answer.
		{"GET", "/nodes/monitoring", 200, `{"res":[{"ip":"127.0.0.1",` + told + `,{"ip":"127.0.0.2",` + told + `,{"ip":"127.0.0.3",` + told + `]}`},
		{"GET", "/nodes/workingService/nginx", 200, `{"res":["127.0.0.2"]}`},
		{"GET", "/nodes/workingService/none", 200, `{"res":[]}`},
		{"GET", "/nodes/workingService/a%2Cb", 400, `{"error":"bad request: not possible: \"a,b\" is no service's name: 1 to 63 letters, digits, _, . and -, no . or - in front"}`},
		{"PUT", "/meta-data/add-service/nginx", 200, `{"service":["nginx"]}`},
		{"PUT", "/meta-data/add-service/api", 200, `{"service":["api","nginx"]}`},
		{"PUT", "/meta-data/remove-service/nginx", 200, `{"service":["api"]}`},
		{"PUT", "/meta-data/remove-service/api", 200, `{"service":[]}`},
	} {
		status, text := local(api, c.method, c.path, "")
		if diff := cmp.Diff(c.want, strings.TrimSuffix(text, "\n")); status != c.status || diff != "" {
			t.Errorf("%s %s: %d (-want +got):\n%s", c.method, c.path, status, diff)
		}
	}
	for _, path := range []string{"/meta-data/add-service/nginx", "/meta-data/remove-service/nginx"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			if status, text := local(api, method, path, ""); status != 405 {
				t.Errorf("%s %s: %d %s", method, path, status, text)
			}
		}
	}
	if _, text := local(api, "GET", "/v1/meta-data", ""); !strings.Contains(text, `"service":[]`) {
		t.Errorf("after all that: %s", text)
	}
}

// Who is alone, and who cannot ask, is told so.
func TestMonitoringFails(t *testing.T) {
	v := someVillage()
	for members, want := range map[int]string{1: `{"error":"there is no other node: lb is alone"}`, 2: `{"error":"the nodes cannot be asked: the wire is cut"}`} {
		v.Members = someVillage().Members[:members]
		b, err := nodes.New(nodes.Config{
			View: v.View, Every: time.Second,
			Ask: func(context.Context, cluster.Query) (nodes.Answers, error) { return nil, errors.New("the wire is cut") },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.Run(ctx) }()
		status, text := local(New(Config{Nodes: b}), "GET", "/nodes/monitoring", "")
		cancel()
		<-done
		if status != 503 || strings.TrimSpace(text) != want {
			t.Errorf("of %d: %d %s", members, status, text)
		}
	}
}
