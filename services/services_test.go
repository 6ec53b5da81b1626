package services

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNew(t *testing.T) {
	for _, c := range []struct {
		in   Service
		want Service
		err  string
	}{
		{in: Service{Type: "web", Description: "The old shop", Port: "80", Text: "path=/ tls=1"},
			want: Service{Type: "web", Description: "The_old_shop", Port: "80", Text: "path=/&tls=1"}},
		{in: Service{Type: "TEST", Port: "TEST"}, want: Service{Type: "TEST", Port: "TEST"}},
		{in: Service{Type: "web", Port: "65535"}, want: Service{Type: "web", Port: "65535"}},
		{in: Service{Type: "web", Port: "80", IP: "fd00::17"}, want: Service{Type: "web", Port: "80", IP: "fd00::17"}},
		{in: Service{Port: "80"}, err: "a service needs a type"},
		{in: Service{Type: "web", Port: "80", IP: "shop.example.org"}, err: `"shop.example.org" is no IP address: leave it empty for the node's own`},
		{in: Service{Type: "web"}, err: "a service needs a port"},
		{in: Service{Type: "web", Port: "65536"}, err: `"65536" is no port: write a number from 1 to 65535, or a name that begins with a letter`},
		{in: Service{Type: "web", Port: "0"}, err: `"0" is no port: write a number from 1 to 65535, or a name that begins with a letter`},
		{in: Service{Type: "web", Port: "080"}, err: `"080" is no port: write a number from 1 to 65535, or a name that begins with a letter`},
		{in: Service{Type: "web", Port: "-1"}, err: `"-1" is no port: write a number from 1 to 65535, or a name that begins with a letter`},
		{in: Service{Type: "web", Port: "8a"}, err: `"8a" is no port: write a number from 1 to 65535, or a name that begins with a letter`},
		{in: Service{Type: "a web", Port: "80"}, err: `the type "a web" has a space in it`},
		{in: Service{Type: "web", Port: "80", Text: "a\nb"}, err: `the text "a\nb" has a space in it`},
		{in: Service{Type: "web", Port: "80", Description: "\x1b[2J"}, err: `the description "\x1b[2J" has a character in it that cannot be printed`},
		{in: Service{Type: "w\xff", Port: "80"}, err: `the type "w\xff" has bytes that are not UTF-8`},
	} {
		got, err := New(c.in)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%+v: %v, want %s", c.in, err, c.err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%+v: %+v %v", c.in, got, err)
		}
	}
}

// A service is known by its type and port; the tag goes with the last one.
func TestPutAndRemove(t *testing.T) {
	tags := map[string]string{"role": "web"}
	have := func(want ...Service) {
		t.Helper()
		list, err := Decode(tags[Tag])
		if diff := cmp.Diff(want, list); diff != "" || err != nil {
			t.Fatalf("the tag holds %v (-want +got):\n%s", err, diff)
		}
	}
	put := func(s Service) {
		t.Helper()
		list, _ := Decode(tags[Tag])
		if err := Set(tags, Put(list, s)); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(typ, port string, want int) {
		t.Helper()
		list, _ := Decode(tags[Tag])
		rest, n := Remove(list, typ, port)
		if err := Set(tags, rest); err != nil || n != want {
			t.Fatalf("removed %d, want %d: %v", n, want, err)
		}
	}
	web443, web80, dns := Service{Type: "web", Port: "443"}, Service{Type: "web", Port: "80"}, Service{Type: "dns", Port: "53"}
	put(web443)
	put(web80)
	put(dns)
	have(dns, web80, web443)
	web80.Description = "changed"
	put(web80)
	have(dns, web80, web443)
	remove("web", "81", 0)
	remove("", "53", 1)
	have(web80, web443)
	put(dns)
	remove("web", "", 2)
	have(dns)
	remove("", "", 1)
	if diff := cmp.Diff(map[string]string{"role": "web"}, tags); diff != "" {
		t.Errorf("tags after the last one (-want +got):\n%s", diff)
	}
}

func TestTheSameServicesMakeTheSameTag(t *testing.T) {
	a, b := Service{Type: "a", Port: "1"}, Service{Type: "b", Port: "1"}
	x, y := map[string]string{}, map[string]string{}
	if err := Set(x, []Service{a, b}); err != nil {
		t.Fatal(err)
	}
	if err := Set(y, []Service{b, a}); err != nil || x[Tag] != y[Tag] {
		t.Errorf("%v: %s and %s", err, x[Tag], y[Tag])
	}
}

func TestTooManyServices(t *testing.T) {
	if _, err := Encode(make([]Service, MaxServices+1)); err == nil {
		t.Error("129 services make a tag")
	}
	if _, err := Encode([]Service{{Type: "web", Text: string(make([]byte, MaxJSON))}}); err == nil {
		t.Error("16 KiB of text make a tag")
	}
}
