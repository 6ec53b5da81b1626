package inventory

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"muster/cluster"
)

// TestMatrix puts each hostile value of the templates' injection matrix into each
// place where a member can speak, in every form of the inventory.
func TestMatrix(t *testing.T) {
	text, err := os.ReadFile("../templates/testdata/hostile.values")
	if err != nil {
		t.Fatal(err)
	}
	values := 0
	for line := range strings.Lines(string(text)) {
		times, quoted, repeated := strings.Cut(strings.TrimSpace(line), ` * "`)
		n := 1
		if repeated {
			n, err = strconv.Atoi(times)
			quoted = `"` + quoted
		} else {
			quoted = times
		}
		if quoted == "" || quoted[0] == '#' {
			continue
		}
		v, bad := strconv.Unquote(quoted)
		if err != nil || bad != nil {
			t.Fatalf("hostile.values: %s", line)
		}
		v = strings.Repeat(v, n)
		values++
		for _, place := range []string{"name", "key", "value", "role", "address"} {
			evil := cluster.Member{Name: "evil", Addr: netip.MustParseAddr("fd00::7"), Port: 7946, Status: cluster.Alive, Tags: map[string]string{}}
			switch place {
			case "name":
				evil.Name = v
			case "key":
				evil.Tags[v] = "x"
			case "address": // what is none is no address to the cluster, and the zone is free text
				evil.Addr = evil.Addr.WithZone(v)
			default:
				evil.Tags[place] = v
			}
			honest := member("Web1.example", "10.0.0.1", map[string]string{"role": "web"})
			mustHold(t, []cluster.Member{evil, honest}, honest)
			mustHoldForPlays(t, []cluster.Member{evil})
			if t.Failed() {
				t.Fatalf("%s %q", place, v)
			}
		}
	}
	if values < 60 {
		t.Errorf("only %d values", values)
	}
}
