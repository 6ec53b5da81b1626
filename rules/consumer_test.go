package rules

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestConsumers shows what the names of consumers stand for.
func TestConsumers(t *testing.T) {
	type commands struct {
		Mode, Workers         string
		Check, Reload, Verify []string
	}
	want := map[string]commands{
		"ansible": {Mode: CheckStaged, Check: []string{"ansible-inventory", "--list", "-i", "/staged/a", "-i", "/staged/b"}},
		"dnsmasq": {Reload: []string{"systemctl", "reload", "dnsmasq"}},
		"haproxy": {Mode: CheckAuto, Workers: "/run/haproxy.pid", Check: []string{"haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/x"}, Reload: []string{"systemctl", "reload", "haproxy"}},
		"keepalived": {Mode: CheckStaged, Check: []string{"sh", "-c", "for file; do keepalived -t -f \"$file\" || exit; done", "keepalived", "/staged/a", "/staged/b"},
			Reload: []string{"systemctl", "reload", "keepalived"}},
		"munin": {Mode: CheckStaged, Check: []string{"perl", "-MMunin::Master::Config", "-MLog::Log4perl", "-e",
			"Log::Log4perl->easy_init; Munin::Master::Config->instance->{config}->parse_config_from_file($_) for @ARGV", "/staged/a", "/staged/b"}},
		"nginx": {Mode: CheckAuto, Workers: "/run/nginx.pid", Check: []string{"nginx", "-t", "-q", "-c", "/etc/nginx/nginx.conf"},
			Reload: []string{"nginx", "-s", "reload", "-c", "/etc/nginx/nginx.conf"}},
		"prometheus": {Mode: CheckAuto, Check: []string{"promtool", "check", "config", "/etc/prometheus/prometheus.yml"}},
		"ssh":        {Mode: CheckStaged, Check: []string{"sh", "-c", `for f do ssh -G -F "$f" any.host || exit; done`, "sh", "/staged/a", "/staged/b"}},
		"varnish":    {Mode: CheckAuto, Check: []string{"varnishd", "-C", "-f", "/etc/varnish/default.vcl"}, Reload: []string{"/usr/share/varnish/varnishreload", "-m", "2"}},
	}
	for _, name := range Consumers() {
		w, ok := want[name]
		if !ok {
			t.Errorf("%s is not in this test", name)
			continue
		}
		text := "rule \"r\" {\n"
		for _, d := range []string{"a.cfg", "b"} {
			text += fmt.Sprintf("template {\n contents = \"x\"\n destination = \"/etc/x/%s\"\n}\n", d)
		}
		if w.Check != nil {
			text += fmt.Sprintf("check = %q\n", name)
		}
		if w.Reload != nil {
			text += fmt.Sprintf("reload = %q\n", name)
		}
		r := mustLoad(t, text+"}\n").Rule("r")
		var got commands
		var err error
		if r.Check != nil {
			got.Mode = r.Check.Mode
			if got.Check, err = r.CheckArgv(map[string]string{"/etc/x/a.cfg": "/staged/a", "/etc/x/b": "/staged/b"}, ""); err != nil {
				t.Error(err)
			}
		}
		if got.Reload, err = r.ReloadArgv(); err != nil {
			t.Error(err)
		}
		if got.Verify, err = r.VerifyArgv(); err != nil {
			t.Error(err)
		}
		if r.Verify != nil {
			got.Workers = r.Verify.Workers
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What a rule says beside a consumer's name counts before the consumer's own.
func TestConsumerWith(t *testing.T) {
	set := mustLoad(t, `
locals { dir = "/srv/nginx" }

rule "elsewhere" {
  template {
    contents    = "x"
    destination = "/srv/nginx/x.conf"
  }
  check {
    use     = "nginx"
    with    = { config = "${local.dir}/nginx.conf" }
    mode    = "swap"
    timeout = "5s"
    user    = "www-data"
    env     = { LANG = "C" }
  }
  reload {
    use  = "nginx"
    with = { config = "${local.dir}/nginx.conf", pid_file = "${local.dir}/pid" }
  }
}

rule "named" {
  template {
    contents    = "x"
    destination = "/etc/varnish/x.vcl"
  }
  reload {
    use  = "varnish"
    with = { name = "edge" }
  }
}

rule "trusting" {
  template {
    contents    = "x"
    destination = "/etc/haproxy/haproxy.cfg"
  }
  check  = "haproxy"
  reload = "haproxy"
  verify = "none"
}

rule "asking" {
  template {
    contents    = "x"
    destination = "/etc/x"
  }
  check {
    wrapper = "include ${staged["/etc/x"]};"
    command = ["nginx", "-t", "-c", wrapper]
  }
  reload = "nginx"
  verify {
    command = ["curl", "-fsS", "http://127.0.0.1/health"]
    timeout = "3s"
  }
}
`)
	r := set.Rule("elsewhere")
	argv, err := r.CheckArgv(nil, "")
	if diff := cmp.Diff([]string{"nginx", "-t", "-q", "-c", "/srv/nginx/nginx.conf"}, argv); diff != "" || err != nil || r.Check.Mode != CheckSwap {
		t.Error(diff, err, r.Check.Mode)
	}
	want := CommandOptions{Timeout: 5 * time.Second, User: "www-data", Env: map[string]string{"LANG": "C"}}
	if diff := cmp.Diff(want, r.CheckOptions()); diff != "" {
		t.Error(diff)
	}
	if r.Verify == nil || r.Verify.Workers != "/srv/nginx/pid" || r.Verify.Within != defaultWithin {
		t.Errorf("verify: %+v", r.Verify)
	}
	argv, err = set.Rule("named").ReloadArgv()
	if diff := cmp.Diff([]string{"/usr/share/varnish/varnishreload", "-m", "2", "-n", "edge"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	r = set.Rule("trusting")
	argv, err = r.CheckArgv(map[string]string{"/etc/haproxy/haproxy.cfg": "", "/etc/haproxy/b.cfg": "", "/srv/b/x.cfg": "", "/srv/b/y.cfg": ""}, "")
	if diff := cmp.Diff([]string{"haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/b.cfg", "-f", "/srv/b"}, argv); diff != "" || err != nil || r.Verify != nil {
		t.Error(diff, err, r.Verify)
	}
	r = set.Rule("asking")
	staged := map[string]string{"/etc/x": "/etc/.x.new"}
	text, err := r.CheckWrapper(staged)
	if string(text) != "include /etc/.x.new;" || err != nil || r.Check.Mode != CheckWrapper {
		t.Errorf("wrapper %q, %v, %s", text, err, r.Check.Mode)
	}
	argv, err = r.CheckArgv(staged, "/etc/.w")
	if diff := cmp.Diff([]string{"nginx", "-t", "-c", "/etc/.w"}, argv); diff != "" || err != nil {
		t.Error(diff, err)
	}
	argv, err = r.VerifyArgv()
	if diff := cmp.Diff([]string{"curl", "-fsS", "http://127.0.0.1/health"}, argv); diff != "" || err != nil || r.VerifyOptions().Timeout != 3*time.Second {
		t.Error(diff, err)
	}
}
