package haproxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// arguments gives those of the keywords that want some.
var arguments = map[string]string{
	"addr": "127.0.0.1", "alpn": "h2", "ca-file": "@system-ca", "check-alpn": "h2", "check-proto": "h2", "check-sni": "x", "ciphers": "AES",
	"ciphersuites": "TLS_AES_128_GCM_SHA256", "crl-file": "", "crt": "", "downinter": "5s", "error-limit": "3", "fall": "3", "fastinter": "1s",
	"inter": "1s", "maxconn": "5", "maxqueue": "5", "minconn": "5", "observe": "layer4", "on-error": "mark-down",
	"on-marked-down": "shutdown-sessions", "on-marked-up": "shutdown-backup-sessions", "pool-low-conn": "1", "pool-max-conn": "1",
	"pool-purge-delay": "1s", "port": "80", "proto": "h2", "proxy-v2-options": "ssl", "rise": "3", "slowstart": "5s", "sni": "str(x)",
	"ssl-max-ver": "TLSv1.3", "ssl-min-ver": "TLSv1.2", "verify": "none", "verifyhost": "x", "ws": "h1",

	"agent-addr": "127.0.0.1", "agent-inter": "1s", "agent-port": "80", "agent-send": "x", "cookie": "x", "id": "77", "init-addr": "none",
	"namespace": "x", "redir": "http://x", "resolve-net": "10.0.0.0/8", "resolve-opts": "allow-dup-ip", "resolve-prefer": "ipv4",
	"resolvers": "x", "socks4": "127.0.0.1:1", "tcp-ut": "5s", "track": "web/a",
}

// taken are the keywords that haproxy takes and that are left out: see keyword.
var taken = []string{"agent-addr", "agent-check", "agent-inter", "agent-port", "agent-send", "id", "track"}

// haproxy takes the keywords that are given to it, with as many arguments as
// are known, and not those that are said not to be taken.
func TestKeywords(t *testing.T) {
	p := newProxy(t, config("web", "a 127.9.0.1:80 check"))
	for word, k := range keywords {
		argument, given := arguments[word]
		if given != (k.args == 1) {
			t.Errorf("%s has %d arguments", word, k.args)
		}
		if given && argument == "" { // a file, which haproxy wants to have loaded
			continue
		}
		line := strings.TrimSpace(word + " " + argument)
		if word == "ssl" || word == "check-ssl" {
			line += " verify none"
		}
		if word == "agent-check" {
			line += " agent-port 80"
		}
		reply := p.tell("add server web/b 127.9.0.2:80 " + line)
		ok := strings.Contains(reply, "New server registered.")
		if want := k.added || slices.Contains(taken, word); ok != want {
			t.Errorf("%s: %s", line, reply)
		}
		if ok && word != "track" {
			if reply := p.tell("set server web/b state maint; del server web/b"); !strings.Contains(reply, "deleted") {
				t.Errorf("%s: %s", line, reply)
			}
		} else if ok {
			p.tell("set server web/b state maint; del server web/b")
		}
	}
}

// A server with all sorts of options is what a reload makes of it, and can be
// deleted.
func TestOptionsOfNewServers(t *testing.T) {
	p := newProxy(t, config("web"))
	r := p.runtime(0)
	text := config("web", "a 127.9.0.1:80 check inter 2s fall 3 rise 2 backup maxconn 50 slowstart 10s on-marked-down shutdown-sessions send-proxy-v2",
		"b [::1]:443 check check-ssl ssl verify none sni str(x) weight 7", "'c' \"127.9.0.3:80\" 'check'   observe layer4 # a comment")
	p.push(r, text)
	p.want("web", "a 127.9.0.1 80 weight 1 ready", "b ::1 443 weight 7 ready", "c 127.9.0.3 80 weight 1 ready")
	p.quiet(r, text)
	p.push(r, config("web"))
	p.want("web")
}

// A server that was added keeps its connections as one of the file does.
func TestNewServersKeepConnections(t *testing.T) {
	file, added := newSite(t, loopback()+":8080"), newSite(t, loopback()+":8080")
	p := newProxy(t, config("web", "a "+file.addr+" pool-low-conn 3"))
	p.push(p.runtime(0), config("web", "a "+file.addr+" pool-low-conn 3", "b "+added.addr+" pool-low-conn 3", "c 127.9.0.3:80 pool-purge-delay 7s pool-max-conn 2"))
	pools := map[string]string{}
	for line := range strings.Lines(p.tell("show servers conn web")) {
		if f := strings.Fields(line); len(f) > 11 && f[0] != "#" {
			pools[f[0]] = f[5] + " " + f[11] // purge_delay and idle_lim
		}
	}
	want := map[string]string{"web/a": "5000 -1", "web/b": "5000 -1", "web/c": "7000 2"}
	if diff := cmp.Diff(want, pools); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.push(p.runtime(0), config("web", "b "+added.addr+" pool-low-conn 3"))
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for range 20 {
		if _, err := get(client, "http://"+p.front); err != nil {
			t.Fatal(err)
		}
	}
	if n := added.connections.Load(); n > 2 {
		t.Errorf("20 requests took %d connections", n)
	}
}

// The algorithms that take new servers and weights, and those that do not, are
// what haproxy says they are; where the text does not say, the push does.
func TestBalance(t *testing.T) {
	algorithms := []string{"roundrobin", "leastconn", "random", "random(2)", "static-rr", "source", "uri", "url_param x", "hdr(x)", "rdp-cookie", "hash src"}
	text := ""
	var lines []string
	for i, a := range algorithms {
		lines = append(lines, a+"\n", a+"\n    hash-type consistent\n", a+"\n    hash-type map-based\n")
		for j, b := range lines[3*i:] {
			text += fmt.Sprintf("backend b%d\n    balance %s    server a 127.9.0.1:80\n", 3*i+j, b)
		}
	}
	p := newProxy(t, text+"backend web\n")
	r := p.runtime(0)
	for i, a := range lines {
		head := fmt.Sprintf("backend b%d\n    balance %s", i, a)
		before, after := head+"    server a 127.9.0.1:80\n", head+"    server a 127.9.0.1:80\n    server b 127.9.0.2:80\n"
		heavy := head + "    server a 127.9.0.1:80 weight 5\n"
		said := Pushable([]byte(before), []byte(after))
		saidWeight := Pushable([]byte(before), []byte(heavy))
		// The same without the balance, so that only haproxy knows.
		_, err := r.Push(t.Context(), []byte(fmt.Sprintf("backend b%d\n    server a 127.9.0.1:80\n    server b 127.9.0.2:80\n", i)))
		_, errWeight := r.Push(t.Context(), []byte(fmt.Sprintf("backend b%d\n    server a 127.9.0.1:80 weight 5\n", i)))
		if (said == nil) != (err == nil) || err != nil && !errors.Is(err, ErrReload) {
			t.Errorf("%q: %v; pushed: %v", a, said, err)
		}
		if (saidWeight == nil) != (errWeight == nil) || errWeight != nil && !errors.Is(errWeight, ErrReload) {
			t.Errorf("%q, weight: %v; pushed: %v", a, saidWeight, errWeight)
		}
	}
}

// A dynamic server that is added with the word enabled makes haproxy 2.6 count
// wrongly: that is why muster never sends it.
func TestEnabledIsNotSent(t *testing.T) {
	p := newProxy(t, config("web"))
	r := p.runtime(0)
	text := config("web", "a 127.9.0.1:80 enabled")
	for _, command := range p.push(r, text) {
		if strings.Contains(command, "enabled") {
			t.Error(command)
		}
	}
	p.want("web", "a 127.9.0.1 80 weight 1 ready")
	p.quiet(r, text)
}
