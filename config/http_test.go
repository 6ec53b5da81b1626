package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// Nothing is served on TCP unless asked for, and then nothing without a token.
func TestHTTP(t *testing.T) {
	for _, c := range []struct{ text, flag, address, token, problems string }{
		{"", "", "", "", ""},
		{`address = "127.0.0.1:8080"`, "", "127.0.0.1:8080", "/s/token", ""},
		{`address = "127.0.0.1:8080"`, "off", "", "", ""},
		{``, "[::1]:80", "[::1]:80", "/s/token", ""},
		{`address = "localhost:80"
		  token_file = "/t"`, "", "localhost:80", "/t", ""},
		{`token_file = "t"`, "[::1]:80", "[::1]:80", "DIR/t", ""},
		{`address = ":80"`, "", ":80", "/s/token", "in the clear"},
		{`address = "10.0.0.1:80"
		  tls_cert = "c"
		  tls_key = "k"`, "", "10.0.0.1:80", "/s/token", ""},
		{`address = "10.0.0.1:80"
		  read = "open"
		  tls_cert = "c"
		  tls_key = "k"`, "", "10.0.0.1:80", "/s/token", "everybody who reaches"},
		{`address = "127.0.0.1:80"
		  read = "open"`, "", "127.0.0.1:80", "/s/token", ""},
	} {
		dir := t.TempDir()
		flags := []string{"--config", write(t, dir, "muster.hcl", "http {\n"+c.text+"\n}\nstate { dir = \"/s\" }\n")}
		if c.flag != "" {
			flags = append(flags, "--http", c.flag)
		}
		f, err := parseFlags(flags...)
		if err != nil {
			t.Fatal(err)
		}
		got, problems := Load(f)
		if want := strings.ReplaceAll(c.token, "DIR", dir); got.HTTP.Address != c.address || got.HTTP.TokenFile != want || problems.HasErrors() ||
			!strings.Contains(problems.Error(), c.problems) || c.problems == "" && len(problems) > 0 {
			t.Errorf("%s %s: %+v, %v", c.text, c.flag, got.HTTP, problems)
		}
		if c.address != "" && got.HTTP.ReadTokenFile != filepath.Join("/s", "read-token") {
			t.Errorf("read token at %s", got.HTTP.ReadTokenFile)
		}
	}
}

func TestHTTPMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`address = "8080"`:                            `cannot serve HTTP at "8080"`,
		`address = "a b:80"`:                          "no address with a port",
		`hosts = ["*.example.org"]`:                   "without *",
		`hosts = ["example.org:80"]`:                  "without a port",
		`read = "tokens"`:                             `did you mean "token"?`,
		`tls_cert = "c"`:                              "tls_cert and tls_key need each other",
		`tls_key = "c"`:                               "tls_cert and tls_key need each other",
		"token_file = \"t\"\nread_token_file = \"t\"": "for both tokens",
		`addres = "127.0.0.1:80"`:                     `address`,
	} {
		path := write(t, t.TempDir(), "muster.hcl", "http {\n"+text+"\n}\n")
		_, problems := Load(Flags{Config: path})
		said := problems.Error()
		for _, p := range problems {
			said += p.Detail
		}
		if !problems.HasErrors() || !strings.Contains(said, want) || problems[0].Line < 2 {
			t.Errorf("%s: %v", text, said)
		}
	}
}
