package install_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rules are those of the agent that runs as root: nginx and haproxy, checked and
// reloaded from within the unit's sandbox, and one check outside of it.
const rootRules = `
rule "nginx" {
  members { tags = { role = "web" } }
  template {
    source      = "nginx-upstream"
    destination = "/etc/nginx/conf.d/web.conf"
    vars        = { upstream = "web", port = 8080 }
  }
  check  = "nginx"
  reload = "nginx"
}

rule "haproxy" {
  members { tags = { role = "web" } }
  template {
    source      = "haproxy-backend"
    destination = "/etc/haproxy/conf.d/web.cfg"
    vars        = { backend = "web", port = 8080 }
  }
  check  = "haproxy"
  reload = "haproxy"
}

rule "outside" {
  template {
    contents    = "# checked outside\n"
    destination = "/etc/nginx/conf.d/outside.conf"
  }
  check {
    use     = "nginx"
    sandbox = "systemd-run"
  }
  reload = "nginx"
}

# Only outside of the sandbox is there such a user to be, and such a place to write.
rule "refused" {
  template {
    contents    = "x"
    destination = "/etc/muster-refused"
  }
  check {
    command = ["sh", "-c", "echo $WORD from $(id -un); touch /usr/outside-ran-$1; exit 7", "sh", "it$HOME"]
    env     = { WORD = "no" }
    user    = "root"
    sandbox = "systemd-run"
  }
}

rule "hangs" {
  template {
    contents    = "x"
    destination = "/etc/muster-hangs"
  }
  check {
    command = ["sleep", "987"]
    timeout = "1s"
    sandbox = "systemd-run"
  }
}
`

// userRules are those of the agent that is nobody but itself.
const userRules = `
rule "nginx" {
  members { tags = { role = "web" } }
  template {
    source      = "nginx-upstream"
    destination = "/var/lib/muster-unprivileged/files/web.conf"
    vars        = { upstream = "web", port = 8080 }
  }
  check {
    wrapper = <<-EOT
      pid /run/muster/nginx-check.pid;
      events {}
      http { access_log off; include ${staged["/var/lib/muster-unprivileged/files/web.conf"]}; }
    EOT
    command = ["nginx", "-t", "-q", "-e", "stderr", "-c", wrapper]
  }
  reload = ["systemctl", "reload", "nginx"]
}

rule "haproxy" {
  members { tags = { role = "web" } }
  template {
    source      = "haproxy-backend"
    destination = "/var/lib/muster-unprivileged/files/web.cfg"
    vars        = { backend = "web", port = 8080 }
  }
  check  = ["haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", staged["/var/lib/muster-unprivileged/files/web.cfg"]]
  reload = ["systemctl", "reload", "haproxy"]
}
`

// site is what nginx serves from the members.
const site = "server { listen 8081; location / { proxy_pass http://web; } }\n"

// A Debian with systemd gets the package, and lives through what machines live
// through: see the calls, in order.
func TestBootedSystem(t *testing.T) {
	packed := packing(t, "v0.1.0", t.TempDir())
	m := boot(t)
	file := packed()
	unpacked := t.TempDir()
	run(t, "dpkg-deb", "-x", file, unpacked)
	m.beside(filepath.Join(unpacked, "usr/bin/muster"), "demo", "node", "--serve", outside+":8080", "--answer", "web1 is here",
		"--bind", outside+":7946", "--node", "web1", "--tag", "role=web", "--rules", t.TempDir(), "--state", t.TempDir(),
		"--socket", filepath.Join(t.TempDir(), "s"), "--rpc-addr", "off")

	m.installs(file)
	m.follows()
	m.runsOutside()
	m.isHardened("muster.service", 2.5)
	m.survives()
	m.upgrades(file)
	m.overlays()
	m.runsUnprivileged()
	m.purges()
}

// installs: enabled, not started; and the pages and the user are there.
func (m *machine) installs(file string) {
	run(m.t, "cp", file, filepath.Join(m.root, "muster.deb"))
	m.do("dpkg", "--install", "/muster.deb")
	if state, _ := m.try("systemctl", "is-active", "muster"); state != "inactive\n" {
		m.t.Errorf("after installing the unit is %s", state)
	}
	if state := m.do("systemctl", "is-enabled", "muster"); state != "enabled" {
		m.t.Errorf("the unit is %s", state)
	}
	if looks := m.do("stat", "-c", "%U:%G %a", "/etc/muster/muster.hcl"); looks != "root:muster 640" {
		m.t.Errorf("muster.hcl is of %s", looks)
	}
	m.do("id", "muster")
}

// follows: what joins outside is in nginx and haproxy inside, which really
// serve it.
func (m *machine) follows() {
	config := m.read("/etc/muster/muster.hcl")
	m.do("sed", "-i", "s/^  # start_join = .*/  start_join = [\""+outside+"\"]/", "/etc/muster/muster.hcl")
	if m.read("/etc/muster/muster.hcl") == config {
		m.t.Fatal("the sample configuration has no start_join to set")
	}
	m.write("/etc/muster/rules.d/web.hcl", rootRules)
	m.write("/etc/nginx/conf.d/site.conf", "upstream web { server 127.0.0.1:9; }\n"+site)
	m.do("mkdir", "-p", "/etc/haproxy/conf.d")
	m.write("/etc/default/haproxy", "EXTRAOPTS=\"-f /etc/haproxy/conf.d\"\n")
	m.do("systemctl", "restart", "nginx", "haproxy")
	m.write("/etc/nginx/conf.d/site.conf", site)
	m.do("systemctl", "start", "muster")
	m.do("muster", "validate", "/etc/muster/rules.d")
	m.serves()
	m.eventually("server web1 "+outside+":8080", "cat", "/etc/haproxy/conf.d/web.cfg")
	m.eventually("", "muster", "status", "--check", "nginx", "haproxy", "outside")
}

// serves: a request to the nginx inside is answered by the member outside.
func (m *machine) serves() {
	m.t.Helper()
	await(m.t, "nginx serves what the member does", func() error {
		_, err := m.outsideGet("http://" + inside + ":8081/")
		return err
	})
}

// runsOutside: what a check says out there is what the rule says; and what hangs
// is ended out there, too.
func (m *machine) runsOutside() {
	m.eventually("exit status 7", "muster", "explain", "refused")
	m.eventually("no from root", "muster", "explain", "refused")
	m.do("test", "-e", "/usr/outside-ran-it$HOME")
	m.eventually("timed out after 1", "muster", "explain", "hangs")
	m.do("sed", "-i", "/^rule \"hangs\"/,$d; s/exit 7/exit 0/", "/etc/muster/rules.d/web.hcl")
	m.eventually("", "muster", "status", "--check")
	await(m.t, "nothing hangs outside", func() error {
		if out, err := m.try("pgrep", "-f", "sleep 987"); err == nil {
			return errHangs(out)
		}
		return nil
	})
	if units := m.do("systemctl", "list-units", "--all", "--plain", "--no-legend", "muster-run-*"); units != "" {
		m.t.Errorf("units are left:\n%s", units)
	}
}

type errHangs string

func (e errHangs) Error() string { return "still there: " + string(e) }

// isHardened: the exposure as the running systemd sees it.
func (m *machine) isHardened(unit string, limit float64) {
	out := m.do("systemd-analyze", "security", "--no-pager", unit)
	match := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if match == nil {
		m.t.Fatalf("no exposure level in:\n%s", out)
	}
	if level, err := strconv.ParseFloat(match[1], 64); err != nil || level > limit {
		m.t.Errorf("%s is exposed at %s, want at most %v:\n%s", unit, match[1], limit, out)
	}
}

func (m *machine) property(name string) string {
	return m.do("systemctl", "show", "--value", "--property="+name, "muster.service")
}

// survives: killed, and stopped so that the watchdog has to, it is back, and
// nginx served meanwhile.
func (m *machine) survives() {
	for _, c := range []struct{ signal, drop, said string }{
		{"KILL", "", "status=9/KILL"},
		{"STOP", "[Service]\nWatchdogSec=2\n", "Watchdog timeout"},
	} {
		if c.drop != "" {
			m.write("/etc/systemd/system/muster.service.d/watchdog.conf", c.drop)
			m.do("systemctl", "daemon-reload")
			m.do("systemctl", "restart", "muster")
		}
		before := m.property("MainPID")
		m.do("systemctl", "kill", "--kill-whom=main", "--signal="+c.signal, "muster")
		if _, err := m.outsideGet("http://" + inside + ":8081/"); err != nil {
			m.t.Errorf("after SIG%s nginx does not serve: %v", c.signal, err)
		}
		await(m.t, "another agent after SIG"+c.signal, func() error {
			if now := m.property("MainPID"); now == before || now == "0" {
				return errHangs("process " + now)
			}
			return nil
		})
		m.eventually(c.said, "journalctl", "--unit=muster", "--no-pager", "--output=cat")
		m.eventually("", "muster", "status", "--check")
		m.eventually("web1", "muster", "members")
	}
	m.do("rm", "-r", "/etc/systemd/system/muster.service.d")
	m.do("systemctl", "daemon-reload")
	m.do("systemctl", "restart", "muster")
}

// upgrades: the changed configuration is kept, the new one stands beside it,
// and the new program runs.
func (m *machine) upgrades(file string) {
	tree := filepath.Join(m.t.TempDir(), "tree")
	run(m.t, "dpkg-deb", "-R", file, tree)
	run(m.t, "sed", "-i", "s/^Version: .*/Version: 0.2.0/", tree+"/DEBIAN/control")
	run(m.t, "sed", "-i", "1s/.*/# of 0.2.0/", tree+"/etc/muster/muster.hcl")
	run(m.t, "dpkg-deb", "-b", tree, filepath.Join(m.root, "muster.deb"))
	config, before := m.read("/etc/muster/muster.hcl"), m.property("MainPID")
	m.do("dpkg", "--install", "--force-confdef", "--force-confold", "/muster.deb")
	if m.read("/etc/muster/muster.hcl") != config {
		m.t.Error("the upgrade has changed muster.hcl")
	}
	if !strings.HasPrefix(m.read("/etc/muster/muster.hcl.dpkg-dist"), "# of 0.2.0\n") {
		m.t.Error("the new muster.hcl is not beside the old one")
	}
	if looks := m.do("stat", "-c", "%U:%G %a", "/etc/muster/muster.hcl"); looks != "root:muster 640" {
		m.t.Errorf("after the upgrade muster.hcl is of %s", looks)
	}
	if m.do("systemctl", "is-active", "muster") != "active" || m.property("MainPID") == before {
		m.t.Error("the upgrade did not restart the agent")
	}
	m.eventually("", "muster", "status", "--check")
	m.serves()
}

// overlays: with the drop-in that the package has, nginx -t sees the files
// before they are in place.
func (m *machine) overlays() {
	const dir = "/etc/systemd/system/muster.service.d"
	m.do("install", "-D", "/usr/share/doc/muster/examples/overlay.conf", dir+"/overlay.conf")
	m.write("/etc/muster/rules.d/overlay.hcl", `
rule "overlay" {
  template {
    contents    = "# overlaid\n"
    destination = "/etc/nginx/conf.d/overlay.conf"
  }
  check {
    use  = "nginx"
    mode = "overlay"
  }
  reload = "nginx"
}
`)
	m.do("systemctl", "daemon-reload")
	m.do("systemctl", "restart", "muster")
	m.eventually("", "muster", "status", "--check")
	if m.read("/etc/nginx/conf.d/overlay.conf") != "# overlaid\n" {
		m.t.Error("the overlaid file is not in place")
	}
	m.do("rm", "-r", dir, "/etc/muster/rules.d/overlay.hcl", "/etc/nginx/conf.d/overlay.conf")
	m.do("systemctl", "daemon-reload")
}

// runsUnprivileged: the other unit takes over, under its own user.
func (m *machine) runsUnprivileged() {
	m.do("rm", "/etc/nginx/conf.d/web.conf", "/etc/nginx/conf.d/outside.conf", "/etc/haproxy/conf.d/web.cfg")
	m.do("install", "-m", "0644", "/usr/share/doc/muster/examples/50-muster.rules", "/etc/polkit-1/rules.d/50-muster.rules")
	m.write("/etc/muster/rules.d/web.hcl", userRules)
	m.do("systemctl", "stop", "muster")
	m.do("rm", "-rf", "/etc/nginx/conf.d/web.conf")
	m.write("/etc/nginx/conf.d/site.conf", "include /var/lib/muster-unprivileged/files/*.conf;\n"+site)
	m.write("/etc/default/haproxy", "EXTRAOPTS=\"-f /var/lib/muster-unprivileged/files\"\n")
	m.do("systemctl", "start", "muster-unprivileged")
	m.do("systemctl", "restart", "haproxy")
	m.eventually("", "muster", "status", "--check")
	m.serves()
	if user := m.do("ps", "-o", "user=", "-p", m.do("systemctl", "show", "--value", "--property=MainPID", "muster-unprivileged")); user != "muster" {
		m.t.Errorf("the unprivileged agent runs as %s", user)
	}
	m.eventually("server web1 "+outside+":8080", "cat", "/var/lib/muster-unprivileged/files/web.cfg")
	m.isHardened("muster-unprivileged.service", 1.5)
	// It may reload these services, and nothing else.
	for _, forbidden := range [][]string{{"stop", "nginx"}, {"restart", "haproxy"}, {"reload", "dbus"}} {
		out, err := m.try("runuser", "-u", "muster", "--", "systemctl", "--no-ask-password", forbidden[0], forbidden[1])
		if err == nil {
			m.t.Errorf("user muster may %s: %s", strings.Join(forbidden, " "), out)
		}
	}
}

// purges: nothing of ours is left, and what rules wrote for others serves on.
func (m *machine) purges() {
	m.do("dpkg", "--purge", "muster")
	for _, path := range []string{"/usr/bin/muster", "/etc/muster", "/var/lib/muster", "/var/lib/muster-unprivileged", "/run/muster", "/usr/share/doc/muster"} {
		if _, err := os.Lstat(filepath.Join(m.root, path)); err == nil {
			m.t.Errorf("%s is left", path)
		}
	}
	if out, err := m.try("id", "muster"); err == nil {
		m.t.Errorf("the user is left: %s", out)
	}
	left := m.do("find", "/etc/systemd", "/lib/systemd", "/var/lib/systemd", "/usr/share", "-name", "*muster*")
	if left != "" {
		m.t.Errorf("left:\n%s", left)
	}
	if units, _ := m.try("systemctl", "list-unit-files", "--no-legend", "muster*"); units != "" {
		m.t.Errorf("units are left:\n%s", units)
	}
}
