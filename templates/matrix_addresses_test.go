package templates

import (
	"net/netip"
	"testing"

	"muster/cluster"
)

// addresses are those that a packet may bring, and some that it should not.
func addresses() []netip.Addr {
	all := []netip.Addr{{}}
	for _, s := range []string{"10.0.0.1", "0.0.0.0", "255.255.255.255", "127.0.0.1", "::", "::1", "fd00::", "fd00::1", "1:2:3:4:5:6:7:8",
		"::ffff:10.0.0.1", "::ffff:0:0", "fe80::1%eth0", "fe80::1%x\n}", "fe80::1%$(id)", "64:ff9b::10.0.0.1"} {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// TestMatrixOfAddresses is the matrix for the place that is no text.
func TestMatrixOfAddresses(t *testing.T) {
	for _, r := range rows() {
		for _, shape := range r.shapes {
			for _, express := range []string{"$m.Addr", "$m.Addr.String", `printf "%v" $m.Addr`, "bracket $m.Addr", "hostPort $m.Addr 80"} {
				if r.format == Shell && !shellReadable(shape) {
					continue
				}
				p := voice{name: "address by " + express, list: listed, express: express}
				tm := r.template(t, shape, p)
				for _, a := range addresses() {
					checkAddress(t, r, tm, shape, express, a)
				}
			}
		}
	}
}

func checkAddress(t *testing.T, r row, tm *Template, shape, express string, a netip.Addr) {
	t.Helper()
	shown := func(a netip.Addr) (Result, []string) {
		ms := []cluster.Member{{Name: "a", Addr: netip.MustParseAddr("10.9.8.1")}, {Name: "m", Addr: a}, {Name: "z", Addr: netip.MustParseAddr("10.9.8.3")}}
		res, err := tm.Execute(Data{Members: ms})
		if err != nil {
			t.Fatalf("%s %q, %s of %v: %v", r.format, shape, express, a, err)
		}
		tokens, err := r.read(string(res.Bytes))
		if err != nil {
			t.Errorf("%s %q, %s of %v: %v in:\n%s", r.format, shape, express, a, err, res.Bytes)
		}
		return res, tokens
	}
	harmless, want := shown(netip.MustParseAddr("10.9.8.2"))
	got, tokens := shown(a)
	for _, f := range got.Refused {
		checkRefusal(t, shape, f)
	}
	if len(harmless.Refused) > 0 { // no address has a place there
		return
	}
	if len(got.Refused) > 0 {
		if got.Refused[0].Member != "m" || len(got.Refused) > 1 {
			t.Errorf("%s %q, %s of %v: refused %+v", r.format, shape, express, a, got.Refused)
		}
		return
	}
	if len(tokens) != len(want) {
		t.Errorf("%s %q, %s of %v: read %q, not as many as %q", r.format, shape, express, a, tokens, want)
	}
}
