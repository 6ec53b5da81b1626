package haproxy

import (
	"strings"
	"testing"
)

func TestPushable(t *testing.T) {
	web := func(lines ...string) string { return "backend web\n    " + strings.Join(lines, "\n    ") + "\n" }
	const a, b = "server a 10.0.0.1:80 check", "server b 10.0.0.2:80 check"
	for name, c := range map[string]struct{ loaded, wanted, want string }{
		"nothing":               {web(a), web(a), ""},
		"added":                 {web(a), web(a, b), ""},
		"added before":          {web(a), web(b, a), ""},
		"removed":               {web(a, b), web(b), ""},
		"address":               {web(a), web("server a [fd00::1]:8080 check"), ""},
		"weight":                {web(a), web(a + " weight 9"), ""},
		"weight in front":       {web(a + " weight 9"), web("server a 10.0.0.1:80 weight 10 check"), ""},
		"disabled":              {web(a), web(a + " disabled"), ""},
		"comments":              {web("# x", a), web(a+"  # y", "", "#z"), ""},
		"blanks":                {web(a), web("  server\ta  10.0.0.1:80   check  "), ""},
		"quotes":                {web(a), web(`'server' "a" 10.0.0."1":80 check`), ""},
		"empty":                 {"", "", ""},
		"no backend":            {"global\n  maxconn 1\n", "global\n  maxconn 1 # 2\n", ""},
		"a server elsewhere":    {"peers p\n server a 10.0.0.1:80\n", "peers p\n server a 10.0.0.2:80\n", "server of peers p changed"},
		"option added":          {web("server a 10.0.0.1:80"), web(a), "server web/a: option check cannot be added over the socket"},
		"option removed":        {web(a), web("server a 10.0.0.1:80"), "server web/a: option check cannot be removed over the socket"},
		"option changed":        {web(a + " inter 1s"), web(a + " inter 2s"), "server web/a: option inter cannot be changed over the socket"},
		"ssl":                   {web(a), web(a + " ssl"), "server web/a: option ssl cannot be added over the socket"},
		"cookie of a new one":   {web(a), web(a, b+" cookie b"), "server web/b: option cookie cannot be given over the socket"},
		"cookies that stay":     {web(a+" cookie a", b+" cookie b"), web(a + " cookie a"), ""},
		"unknown of a new one":  {web(a), web(a, b+" frobnicate"), "server web/b: option frobnicate is not understood"},
		"unknown that stays":    {web(a+" frobnicate x", b), web(a + " frobnicate x"), ""},
		"unknown, address":      {web(a + " frobnicate x"), web("server a 10.0.0.9:80 check frobnicate x"), ""},
		"unknown changes":       {web(a + " frobnicate x"), web(a + " frobnicate y"), "server web/a: its options changed"},
		"name of a new one":     {web(a), web(a, "server b www.example.com:80"), "server web/b: it has no IP address with a port"},
		"name changes":          {web("server a www.example.com:80"), web("server a www.example.org:80"), "server web/a: only an IP address"},
		"no port":               {web(a), web("server a 10.0.0.1 check"), "server web/a: only an IP address"},
		"bare IPv6":             {web(), web("server a fd00::1:80"), "server web/a: it has no IP address with a port"},
		"mapped":                {web(), web("server a [::ffff:10.0.0.1]:80"), "server web/a: it has no IP address with a port"},
		"variable":              {web(a), web(a, `server b "$HOST":80`), "server web/b: it has no IP address with a port"},
		"variable in an option": {web(a), web(a, b+` sni "$SNI"`), "server web/b: what option sni says cannot be sent"},
		"semicolon":             {web(a), web(a, b+` sni 'x;show'`), "server web/b: what option sni says cannot be sent"},
		"backslash":             {web(a), web(a, b+` sni x\;show`), "server web/b: what option sni says cannot be sent"},
		"balance":               {web("balance roundrobin", a), web("balance leastconn", a), "balance of backend web changed"},
		"line added":            {web(a), web(a, "balance leastconn"), "balance of backend web changed"},
		"line removed":          {web("option httpchk", a), web(a), "option of backend web changed"},
		"order of lines":        {web("option a", "mode tcp"), web("mode tcp", "option a"), "option of backend web changed"},
		"static":                {web("balance source", a), web("balance source", a, b), "server web/b: balance source takes no servers over the socket"},
		"static weight":         {web("balance source", a), web("balance source", a+" weight 2"), "server web/a: its weight changed, which balance source cannot do"},
		"static address":        {web("balance source", a, b), web("balance source", "server a 10.0.0.9:80 check"), ""},
		"consistent":            {web("balance hdr(x)", "hash-type consistent", a), web("balance hdr(x)", "hash-type consistent", a, b), ""},
		"first":                 {web("balance first", a), web("balance first", a, b), "server web/b: balance first goes by the order of the servers"},
		"default-server":        {web("default-server inter 1s", a), web("default-server inter 1s", a, b), "server web/b: default-server does not count"},
		"default-server stays":  {web("default-server inter 1s", a, b), web("default-server inter 1s", "server a 10.0.0.9:80 check"), ""},
		"default-server moves":  {web("default-server inter 1s", a), web(a, "default-server inter 1s"), "server web/a: another default-server is in force for it"},
		"its weight":            {web("default-server weight 5", a+" weight 1"), web("default-server weight 5", a), "server web/a: its weight changed from or to what default-server says"},
		"of defaults":           {"defaults\n default-server inter 1s\n" + web(a), "defaults\n default-server inter 1s\n" + web(a, b), "server web/b: default-server does not count"},
		"balance of defaults":   {"defaults\n balance source\n" + web(a), "defaults\n balance source\n" + web(a, b), "server web/b: balance source"},
		"of named defaults":     {"defaults x\n balance source\ndefaults y\nbackend web from x\n", "defaults x\n balance source\ndefaults y\nbackend web from x\n" + a + "\n", "server web/a: balance source"},
		"another backend":       {web(a), web(a) + "backend db\n", "backend db is new"},
		"backend gone":          {web(a) + "backend db\n", web(a), "backend db is gone"},
		"renamed":               {web(a), strings.Replace(web(a), "web", "www", 1), "backend www stands where backend web was"},
		"twice":                 {web(a), web(a, a), "backend web has two servers a"},
		"slots":                 {web("server-template s 1-3 0.0.0.0:1 disabled", "# slot a 10.0.0.1:80"), web("server-template s 1-3 0.0.0.0:1 disabled", "# slot b 10.0.0.2:80 weight 3"), ""},
		"more slots":            {web("server-template s 1-3 0.0.0.0:1"), web("server-template s 1-4 0.0.0.0:1"), "server-template of backend web changed"},
		"a slot's name":         {web("server-template s 1-3 0.0.0.0:1"), web("server-template s 1-3 0.0.0.0:1", "server s2 10.0.0.1:80"), "backend web has two servers s2"},
		"two for a slot":        {web("server-template s 3 0.0.0.0:1"), web("server-template s 3 0.0.0.0:1", "# slot a 10.0.0.1:80", "# slot a 10.0.0.2:80"), "backend web has two slots for a"},
		"no slots":              {web(), web("# slot a 10.0.0.1:80 and what not"), ""},
		"malformed slot":        {web(), web("server-template s 3 0.0.0.0:1", "# slot a 10.0.0.1:80 and what"), "line 3: a slot is written: # slot NAME"},
		"slot without port":     {web(), web("server-template s 3 0.0.0.0:1", "# slot a 10.0.0.1"), "line 3: a slot is written"},
		"slot with a weight":    {web(), web("server-template s 3 0.0.0.0:1", "# slot a 10.0.0.1:80 weight 257"), "line 3: a slot is written"},
		"a template's range":    {web(), web("server-template s 9-3 0.0.0.0:1"), "line 2: server-template"},
		"a huge template":       {web(), web("server-template s 1-99999999 0.0.0.0:1"), "line 2: server-template"},
		"two templates":         {web(), web("server-template s 3 0.0.0.0:1", "server-template t 3 0.0.0.0:1"), "backend web has two server-templates"},
		"a condition":           {web(a), ".if defined(X)\n" + web(a) + ".endif\n", "line 1: \".if\": conditional blocks are not understood"},
		"no end":                {web(a), web(a) + "x", "last line does not end"},
		"a quote":               {web(a), web("option 'x"), "line 2: a quote is not closed"},
		"a backslash":           {web(a), web(`option x\`), "line 2: a line ends with a backslash"},
		"a control character":   {web(a), web("option \x01"), "line 2: a line holds the control character"},
		"a carriage return":     {web(a), web("option x\r"), "line 2: a line holds the control character"},
		"a server's name":       {web(a), web("server a;b 10.0.0.1:80"), "line 2: \"a;b\" is no name of a server"},
		"no address":            {web(a), web("server b"), "line 2: a server has a name and an address"},
		"a backend's name":      {web(a), "backend 'x y'\n", "line 1: \"x y\" is no name of a backend"},
	} {
		err := Pushable([]byte(c.loaded), []byte(c.wanted))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := Pushable([]byte(c.loaded), []byte(c.loaded)); err != nil {
			t.Errorf("%s: unchanged: %v", name, err)
		}
	}
}

// A rule may have files of other kinds, in which # is no comment and nothing
// has to be quoted.
func TestNoConfiguration(t *testing.T) {
	for _, c := range []struct{ loaded, wanted string }{
		{"body { color: #fff }\n", "body { color: #000 }\n"},
		{"/old /new#1\n", "/old /new#2\n"},
		{"a\n", "a\n\n"},
		{"# none\n", "# at all\n"},
		{"global\n", "HTTP/1.0 503 Down\n"},
	} {
		if err := Pushable([]byte(c.loaded), []byte(c.wanted)); err == nil {
			t.Errorf("%q is %q without a reload", c.wanted, c.loaded)
		}
		if err := Pushable([]byte(c.wanted), []byte(c.wanted)); err != nil {
			t.Errorf("%q stays, and %v", c.wanted, err)
		}
	}
	r := New(Config{Socket: "/nowhere"})
	if _, err := r.Push(t.Context(), []byte("HTTP/1.0 503 Down\n\nIt's down"), []byte(".html\n")); err == nil {
		t.Error("a condition is a line of haproxy's")
	}
	if _, err := r.Push(t.Context(), []byte("HTTP/1.0 503 Down\n\nIt's down"), []byte("[]"), nil); err != nil {
		t.Error(err)
	}
}
