package rules

import "testing"

// Outside of the sandbox a check sees its files in place, unless it takes them
// as arguments; the blocks that do not say so stay inside.
func TestSandbox(t *testing.T) {
	set := mustLoad(t, `
rule "web" {
  template {
    contents    = "x"
    destination = "/etc/x"
  }
  check {
    use     = "haproxy"
    sandbox = "systemd-run"
  }
  reload {
    command = ["true"]
    sandbox = "systemd-run"
  }
  verify { command = ["true"] }
}

rule "staged" {
  template {
    contents    = "x"
    destination = "/etc/y"
  }
  check {
    command = ["cat", staged["/etc/y"]]
    sandbox = "systemd-run"
  }
  reload { command = ["true"] }
}

rule "act" {
  on = ["user:x"]
  run {
    command = ["true"]
    sandbox = "systemd-run"
  }
}
`)
	web, staged := set.Rule("web"), set.Rule("staged")
	for _, c := range []struct {
		what string
		got  CommandOptions
		want bool
	}{
		{"check", web.CheckOptions(), true}, {"reload", web.ReloadOptions(), true}, {"verify", web.VerifyOptions(), false},
		{"staged check", staged.CheckOptions(), true}, {"plain reload", staged.ReloadOptions(), false},
	} {
		if c.got.Outside != c.want {
			t.Errorf("%s runs outside: %t, want %t", c.what, c.got.Outside, c.want)
		}
	}
	if web.Check.Mode != CheckSwap || staged.Check.Mode != CheckStaged {
		t.Errorf("modes are %s and %s, want swap and staged", web.Check.Mode, staged.Check.Mode)
	}
	if options, err := set.Rule("act").Steps[0].Run.Options(Occasion{}); err != nil || !options.Outside {
		t.Errorf("run: %+v, %v", options, err)
	}
}
