package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sample configuration as it is says nothing at all.
func TestSample(t *testing.T) {
	c, problems := Load(Flags{Config: "../install/muster.hcl"})
	want := Default()
	want.Files = []string{"../install/muster.hcl"}
	if diff := cmp.Diff(want, c); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v, config (-want +got):\n%s", problems, diff)
	}
}

var commented = regexp.MustCompile(`(?m)^  # ([a-z_]+ = .*)$`)

// With every key taken out of its comment it is understood, and the defaults
// that it shows are those of this package.
func TestSampleUncommented(t *testing.T) {
	text, err := os.ReadFile("../install/muster.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if len(commented.FindAll(text, -1)) == 0 {
		t.Fatal("no commented key found")
	}
	uncommented := commented.ReplaceAllString(string(text), "  $1")
	// These look at the machine: there is no such file or interface here.
	uncommented = regexp.MustCompile(`(?m)^  (config_file|config_dir|interface|keyring_file|attach|trusted_keys|handlers_dir) = .*$`).ReplaceAllString(uncommented, "")
	for _, k := range keys {
		if k.name != "" && k.warning == "" && !strings.Contains(uncommented+"interface keyring_file attach trusted_keys handlers_dir", k.name) {
			t.Errorf("the sample lacks %s", k.name)
		}
	}
	c, problems := Load(Flags{Config: write(t, t.TempDir(), "muster.hcl", uncommented)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := Default()
	if diff := cmp.Diff(values(d), values(c)); diff != "" {
		t.Errorf("defaults (-code +sample):\n%s", diff)
	}
}

// values are those of a configuration that have a default.
func values(c Config) []any {
	return []any{c.Leave, c.Rules, c.Nodes, c.Log, c.State, c.HTTP.Mode, c.RPC.Addr, c.HandlerTimeout, c.EventMaxAge, c.InsecureGossip, c.Cluster.RetryMax}
}
