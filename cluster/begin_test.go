package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"muster/cluster"
)

// Whoever sees a view of a node knows where it listens: what is allowed there
// hangs on that, and what is judged by the first view must not be lost.
func TestInfoIsThereBeforeTheView(t *testing.T) {
	for i := range 20 {
		n := start(t, cluster.Config{Name: fmt.Sprintf("n%d", i), Bind: "127.0.0.1:0"})
		for deadline := time.Now().Add(time.Minute); n.View().Epoch == 0; {
			if time.Now().After(deadline) {
				t.Fatal("there is no view")
			}
		}
		if info := n.Info(); info.Epoch != 1 || info.Bind == "" {
			t.Fatalf("node %d has a view, and says of itself %+v", i, info)
		}
		n.kill()
	}
}
