package muster_test

import (
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// architectures are those that muster is released for, as `make build-all`
// builds them.
var architectures = map[string][]string{
	"amd64": {"GOARCH=amd64"},
	"arm64": {"GOARCH=arm64"},
	"armv6": {"GOARCH=arm", "GOARM=6"},
}

// buildFor is `build-for ARCH...`. What `make build-all` has compiled is not
// compiled again.
func buildFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg {
		ts.Fatalf("usage: build-for ARCH...")
	}
	for _, arch := range args {
		target := architectures[arch]
		if target == nil {
			ts.Fatalf("muster is not built for %q", arch)
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", ts.MkAbs("muster-linux-"+arch), "./cmd/muster")
		build.Env = append(os.Environ(), append(target, "GOOS=linux", "CGO_ENABLED=0")...)
		if out, err := build.CombinedOutput(); err != nil {
			ts.Fatalf("cannot build muster for %s: %v\n%s", arch, err, out)
		}
	}
}
