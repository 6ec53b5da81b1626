package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// ring writes a keyring file of keys and returns its path.
func ring(t *testing.T, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring")
	data, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

// keysOf returns the keys in a keyring file.
func keysOf(t *testing.T, path string) (keys []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &keys)
	}
	if err != nil {
		t.Error(err)
	}
	return keys
}

// Three nodes change from a short key to a long one and lose nobody. A reader
// of their keyring files sees whole ones all the time.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	before, after := key(1, 16), key(2, 32)
	var nodes []*node
	var rings, seeds []string
	for i := range 3 {
		rings = append(rings, ring(t, before))
		n := start(t, cluster.Config{Name: fmt.Sprint("n", i), Bind: loopback(), KeyringFile: rings[i], Join: seeds})
		n.wait("settled", func(v cluster.View) bool { return v.Settled && len(v.Members) == i+1 })
		seeds = []string{n.Info().Bind}
		nodes = append(nodes, n)
	}
	const all = "n0:alive n1:alive n2:alive"
	for _, n := range nodes {
		n.waitFor(all)
	}
	events := nodes[1].Subscribe(256)
	defer events.Close()
	var reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, path := range rings {
					if len(keysOf(t, path)) == 0 {
						t.Error("a reader sees an empty keyring file")
					}
				}
			}
		}
	})
	end := sync.OnceFunc(func() { close(stop); reader.Wait() })
	defer end()
	n := nodes[0]
	for _, step := range []struct {
		what string
		do   func() (cluster.KeyReport, error)
		want []string
	}{
		{"install", func() (cluster.KeyReport, error) { return n.InstallKey(t.Context(), after) }, []string{before, after}},
		{"use", func() (cluster.KeyReport, error) { return n.UseKey(t.Context(), after) }, []string{after, before}},
		{"remove", func() (cluster.KeyReport, error) { return n.RemoveKey(t.Context(), before) }, []string{after}},
	} {
		r, err := step.do()
		if err != nil || r.Nodes != 3 || r.Answered != 3 || r.Failed != 0 {
			t.Fatalf("%s: %+v, %v", step.what, r, err)
		}
		if d := cmp.Diff(step.want, keysOf(t, rings[0])); d != "" {
			t.Errorf("%s, on the node asked: %s", step.what, d)
		}
		for _, path := range rings[1:] {
			eventually(t, step.what, func() bool { return cmp.Equal(step.want, keysOf(t, path)) })
		}
	}
	end()

	r, err := n.ListKeys(t.Context())
	want := cluster.KeyReport{
		Nodes: 3, Answered: 3, Messages: map[string]string{},
		Keys: map[string]int{after: 3}, Primary: map[string]int{after: 3},
	}
	if d := cmp.Diff(want, r); d != "" || err != nil {
		t.Error(d, err)
	}
	// The key in use cannot be removed, nor one be used that nobody has.
	if r, err = n.RemoveKey(t.Context(), after); err == nil || r.Failed != 3 || !strings.Contains(r.Messages["n2"], "primary key") {
		t.Errorf("remove the primary: %+v, %v", r, err)
	}
	if r, err = n.UseKey(t.Context(), before); err == nil || r.Failed != 3 {
		t.Errorf("use an unknown one: %+v, %v", r, err)
	}

	for {
		select {
		case e := <-events.C:
			if e.Type == cluster.EventFailed || e.Type == cluster.EventLeave || e.Type == cluster.EventQuery {
				t.Errorf("%s %s of %v", e.Type, e.Name, e.Members)
			}
			continue
		default:
		}
		break
	}
	for _, n := range nodes {
		n.waitFor(all)
	}
	if info, err := os.Stat(rings[2]); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode: %v, %v", info.Mode(), err)
	}

	// Who starts from the file is in, who has the old key is out.
	nodes[2].kill()
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(rings[2]), "*")); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	start(t, cluster.Config{Name: "n2", Bind: loopback(), KeyringFile: rings[2], Join: seeds[:0:0]}).waitFor("n2:alive")
	in := start(t, cluster.Config{Name: "in", Bind: loopback(), KeyringFile: rings[2], Join: []string{n.Info().Bind}})
	in.wait("it joins", func(v cluster.View) bool { return v.Settled && !v.Alone() })
	out := start(t, cluster.Config{Name: "out", Bind: loopback(), EncryptKey: before, Join: []string{n.Info().Bind}})
	eventually(t, "it cannot join", func() bool { return out.Info().JoinError != "" })
	if v := n.View(); strings.Contains(describe(v), "out") {
		t.Errorf("the old key gets in: %s", describe(v))
	}
}

func TestKeysRefused(t *testing.T) {
	n := start(t, cluster.Config{Name: "n", Bind: loopback(), EncryptKey: key(1, 32)})
	plain := start(t, cluster.Config{Name: "plain", Bind: loopback()})
	n.waitFor("n:alive")
	plain.waitFor("plain:alive")
	for _, bad := range []string{"", "no%key", key(3, 15), key(3, 33)} {
		_, err := n.InstallKey(t.Context(), bad)
		wants(t, err, "cannot install key")
		if bad != "" && err != nil && strings.Contains(err.Error(), bad) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	_, err := plain.InstallKey(t.Context(), key(1, 16))
	wants(t, err, "not encrypted", "in the clear")
	r, err := plain.ListKeys(t.Context())
	wants(t, err, "1/1 nodes reported failure")
	if !strings.Contains(r.Messages["plain"], "not enabled") {
		t.Errorf("report %+v", r)
	}
	// Without a file, a key is installed until the next start.
	if r, err := n.InstallKey(t.Context(), key(4, 24)); err != nil || r.Answered != 1 {
		t.Errorf("install: %+v, %v", r, err)
	}
	if r, err := n.ListKeys(t.Context()); err != nil || len(r.Keys) != 2 || r.Primary[key(1, 32)] != 1 {
		t.Errorf("list: %+v, %v", r, err)
	}
}

// The process ended between what Serf confirmed and what the file says.
func TestKeyringDraft(t *testing.T) {
	for name, tc := range map[string]struct {
		draft string
		older bool
		want  string
	}{
		"newer": {draft: `["` + key(2, 16) + `"]`, want: key(2, 16)},
		"older": {draft: `["` + key(2, 16) + `"]`, older: true, want: key(1, 16)},
		"torn":  {draft: `["` + key(2, 16), want: key(1, 16)},
		"empty": {want: key(1, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			path := ring(t, key(1, 16))
			if err := os.WriteFile(path+".new", []byte(tc.draft), 0o600); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			at := info.ModTime().Add(1e9)
			if tc.older {
				at = info.ModTime().Add(-1e9)
			}
			if err := os.Chtimes(path+".new", at, at); err != nil {
				t.Fatal(err)
			}
			n := start(t, cluster.Config{Name: "n", Bind: loopback(), KeyringFile: path})
			n.waitFor("n:alive")
			r, err := n.ListKeys(t.Context())
			if d := cmp.Diff(map[string]int{tc.want: 1}, r.Primary); d != "" || err != nil {
				t.Error(d, err)
			}
			n.kill()
			if d := cmp.Diff([]string{tc.want}, keysOf(t, path)); d != "" {
				t.Errorf("the file: %s", d)
			}
			if _, err := os.Stat(path + ".new"); err == nil {
				t.Error("the draft is still there")
			}
		})
	}
}
