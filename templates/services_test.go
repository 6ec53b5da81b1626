package templates

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/services"
)

// offers are those of three members: two of a type, one of them of two ports.
func offers() []Offer {
	a := cluster.Member{Name: "a", Addr: netip.MustParseAddr("10.0.0.1"), Status: cluster.Alive, Tags: map[string]string{"zone": "east"}}
	b := cluster.Member{Name: "b", Addr: netip.MustParseAddr("fd00::2"), Status: cluster.Alive}
	c := cluster.Member{Name: "c", Addr: netip.MustParseAddr("10.0.0.3"), Status: cluster.Alive}
	return []Offer{
		{a, services.Service{Type: "web", Port: "80", Description: "Shop", Host: "a.cloud.local", Text: "path=/&w=1", Device: "eth0"}},
		{a, services.Service{Type: "web", Port: "443", IP: "192.0.2.7"}},
		{b, services.Service{Type: "web", Port: "8080"}},
		{c, services.Service{Type: "web", Port: "80", IP: "10.0.0.300"}},
	}
}

func dataWith(all []Offer) Data {
	var ms []cluster.Member
	for _, o := range all {
		if len(ms) == 0 || ms[len(ms)-1].Name != o.Member.Name {
			ms = append(ms, o.Member)
		}
	}
	return Data{AllMembers: ms, Services: func(typ string) []Offer {
		var some []Offer
		for _, o := range all {
			if typ == "" || o.Type == typ {
				some = append(some, o)
			}
		}
		return some
	}}
}

func TestServices(t *testing.T) {
	for _, c := range []struct {
		format        Format
		text, want    string
		refused, read string
	}{
		{Nginx, `{{range services "web"}}server {{.IP}}:{{.Port}}; # {{.Member.Name}}
{{end}}`, "server 10.0.0.1:80; # a\nserver 192.0.2.7:443; # a\nserver [fd00::2]:8080; # b\n", "c: it is no IP address", "web"},
		{Text, `{{range services "web"}}{{.Type}} {{.Description}} {{.Host}} {{.Port}} {{.Device}} {{.Text}} {{.Member.Tags.zone}}
{{end}}`, "web Shop a.cloud.local 80 eth0 path=/&w=1 east\nweb   443   east\nweb   8080   \nweb   80   \n", "", "web"},
		{Text, `{{len (services "web")}} {{len (services "dns")}} {{len (services "")}}`, "4 0 4", "", ",dns,web"},
		{Text, `{{with services "dns"}}some{{else}}none{{end}}`, "none", "", "dns"},
		{Text, `{{(index (services "web") 0).Port}}`, "80", "", "web"},
		{JSON, `{{services "web" | first}}`, `{"description":"Shop","device":"eth0","host":"a.cloud.local","ip":"10.0.0.1","member":"a","port":"80","text":"path=/\u0026w=1","type":"web"}`, "", "web"},
		{Text, `{{range services "web"}}{{with .Member}}{{.Name}}{{end}} {{end}}`, "a a b c ", "", "web"},
		{Text, `{{range services "web"}}{{hostPort .IP (port .Port)}} {{end}}`, "10.0.0.1:80 192.0.2.7:443 [fd00::2]:8080 10.0.0.300:80 ", "", "web"},
		{Text, `{{printf "%v" (first (services "web"))}}`, "service", "", "web"},
	} {
		tm, err := Parse(c.text, Options{Format: c.format})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got, err := tm.Execute(dataWith(offers()))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var refused []string
		for _, r := range got.Refused {
			refused = append(refused, r.Member+": "+r.Reason)
		}
		if strings.Join(refused, ";") != c.refused || strings.Join(got.Reads.Services, ",") != c.read {
			t.Errorf("%s: refused %q, read %q", c.text, refused, got.Reads.Services)
		}
		want := strings.ReplaceAll(c.want, `\u0026`, "&")
		if diff := cmp.Diff(want, string(got.Bytes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestServicesMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`{{range services "web"}}{{.Adress}}{{end}}`: `a service has no field .Adress`,
		`{{services "web"}}`:                         "it is a list of services",
		`{{range services "web"}}{{.}}{{end}}`:       "it is a service",
		`{{services}}`:                               "services",
		`{{service "web"}}`:                          `there is no function "service"`,
	} {
		_, err := Parse(text, Options{Format: Nginx})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	tm, err := Parse(`{{services "web" | len}}`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tm.Execute(Data{}); err == nil {
		t.Error("nothing offers services, and yet there are some")
	}
}

// Who is refused for what a service says is left out of every list, and it is
// not the author's fault that a var has a part in it.
func TestServiceIsItsMembers(t *testing.T) {
	all := offers()
	all[2].Text = "x;}\nserver {"
	d := dataWith(all)
	d.Vars = map[string]any{"end": "}"}
	for _, expr := range []string{".Text", `printf "%s%s" .Text $.Vars.end`, `.Text | upper`} {
		tm, err := Parse(`{{range services ""}}server {{.Member.Name}}; # {{`+expr+`}}
{{end}}{{len (services "web")}}`, Options{Format: Nginx})
		if err != nil {
			t.Fatal(err)
		}
		got, err := tm.Execute(d)
		if err != nil || len(got.Refused) != 1 || got.Refused[0].Member != "b" || strings.Contains(string(got.Bytes), "server b") || !strings.HasSuffix(string(got.Bytes), "\n3") {
			t.Errorf("%s: %v %+v in:\n%s", expr, err, got.Refused, got.Bytes)
		}
	}
}

// TestMatrixOfServiceAddresses is the matrix for the address of a service:
// whatever it is, the others' are there, and it is one or is not printed.
func TestMatrixOfServiceAddresses(t *testing.T) {
	for _, r := range rows() {
		for _, shape := range r.shapes {
			if r.format == Shell && !shellReadable(shape) {
				continue
			}
			tm := r.template(t, shape, voice{name: "address of a service", list: offeredByAll, express: "$m.IP"})
			for _, said := range append([]string{"", "10.0.0.1", "fd00::1", "fe80::1%eth0", "10.0.0.1 ", "10.0.0.01"}, hostile...) {
				checkServiceAddress(t, r, tm, shape, said)
			}
		}
	}
}

func checkServiceAddress(t *testing.T, r row, tm *Template, shape, said string) {
	t.Helper()
	shown := func(said string) (Result, []string) {
		var all []Offer
		for i, ip := range []string{"192.0.2.1", said, "192.0.2.3"} {
			m := cluster.Member{Name: fmt.Sprint(i), Addr: netip.MustParseAddr("192.0.2.2"), Status: cluster.Alive}
			all = append(all, Offer{m, services.Service{Type: "x", IP: ip}})
		}
		res, err := tm.Execute(dataWith(all))
		if err != nil {
			t.Fatalf("%s %q, %q: %v", r.format, shape, said, err)
		}
		tokens, err := r.read(string(res.Bytes))
		if err != nil {
			t.Errorf("%s %q, %q: %v in:\n%s", r.format, shape, said, err, res.Bytes)
		}
		return res, tokens
	}
	harmless, want := shown("192.0.2.2")
	if len(harmless.Refused) > 0 { // no address has a place there
		return
	}
	got, tokens := shown(said)
	addr, err := netip.ParseAddr(said)
	switch good := said == "" || err == nil && addr.Zone() == ""; {
	case good && len(got.Refused) == 0 && len(tokens) == len(want):
	case good && addr.Is6() && len(got.Refused) == 1: // where no colon can be
	case !good && len(got.Refused) == 1 && got.Refused[0].Member == "1":
		checkRefusal(t, shape, got.Refused[0])
	default:
		t.Errorf("%s %q, %q: refused %+v, %d tokens of %d in:\n%s", r.format, shape, said, got.Refused, len(tokens), len(want), got.Bytes)
	}
}
