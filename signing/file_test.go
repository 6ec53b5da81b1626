package signing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.key")
	k := generate(t, "alice@host-1.x_y")
	if err := k.Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := ReadKey(path)
	if err != nil || again.Name != k.Name || again.ID() != k.ID() || again.Public() != k.Public() {
		t.Errorf("%v, %v; want %v", again, err, k)
	}
	if _, err := trust(t, k.Public()).Verify("x", sign(t, again, "x", ""), noon, time.Minute); err != nil {
		t.Error(err)
	}
	if err := k.Write(path); err == nil || !strings.HasPrefix(err.Error(), "cannot write the signing key: ") {
		t.Errorf("a key is written over another: %v", err)
	}
	if err := os.Symlink(filepath.Join(filepath.Dir(path), "elsewhere"), path+"2"); err != nil {
		t.Fatal(err)
	}
	if err := k.Write(path + "2"); err == nil {
		t.Error("a key is written through a link")
	}
	if err := (Key{Name: "x"}).Write(path + "3"); err == nil {
		t.Error("a key that is none is written")
	}
}

func TestKeyFileMistakes(t *testing.T) {
	good := "muster-ed25519-private AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= alice\n"
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       string // "": it is read
	}{
		{"as it is written", good, 0o600, ""},
		{"with a comment", "# mine\n\n  " + good, 0o400, ""},
		{"the group can read it", good, 0o640, "others may read or change it (mode 0640): make it yours alone with chmod 600"},
		{"all can read it", good, 0o604, "(mode 0604)"},
		{"all can write it", good, 0o602, "(mode 0602)"},
		{"empty", "# nothing\n", 0o600, "no key in it"},
		{"two keys", good + good, 0o600, "line 2: one key is all that the file may hold"},
		{"a public key", fixedKey("alice").Public(), 0o600, "line 1: this is a public key"},
		{"something else", "\n-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600, "line 2: a private key is written: muster-ed25519-private BASE64 NAME"},
		{"no name", strings.TrimSuffix(good, " alice\n"), 0o600, "line 1: a private key is written"},
		{"words after the name", strings.TrimSpace(good) + " x", 0o600, "line 1: a private key is written"},
		{"cut off", "muster-ed25519-private AAEC alice", 0o600, "line 1: the key must be 32 bytes in base64 (44 characters)"},
		{"not base64", "muster-ed25519-private !!!! alice", 0o600, "line 1: the key must be 32 bytes"},
		{"another spelling of the same", strings.Replace(good, "Hh8=", "Hh9=", 1), 0o600, "line 1: the key must be 32 bytes"},
		{"a bad name", strings.Replace(good, "alice", "-alice", 1), 0o600, "line 1: a signer's name has 1 to 64 characters"},
		{"too long", strings.Repeat("#", maxKeyFile) + "\n" + good, 0o600, "longer than 4096 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		writeFile(t, path, c.text, c.mode)
		k, err := ReadKey(path)
		switch {
		case c.want == "" && (err != nil || k.Name != "alice"):
			t.Errorf("%s: %v, %v", c.name, k, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot read the signing key "+path+": ")):
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "AAEC") {
			t.Errorf("%s: the error shows the key: %v", c.name, err)
		}
	}
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "not a regular file", dir: "not a regular file", dir + "/none": "no such file"} {
		if _, err := ReadKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "Alice_1.b-c@d": true, "_x": true, strings.Repeat("x", 64): true,
		"": false, ".x": false, "-x": false, "@x": false, "a b": false, "ä": false, "a\n": false, "a/b": false, strings.Repeat("x", 65): false,
	} {
		if _, err := Generate(name); (err == nil) != ok {
			t.Errorf("Generate(%q): %v", name, err)
		}
	}
}

func TestTrustedDirectory(t *testing.T) {
	dir := t.TempDir()
	alice, bob, carol := generate(t, "alice"), generate(t, "bob"), generate(t, "carol")
	next := generate(t, "alice") // takes over from the first
	writeFile(t, dir+"/alice.pub", "# old and new\n"+alice.Public()+"\n\n"+next.Public()+"\n", 0o644)
	writeFile(t, dir+"/bob.pub", bob.Public(), 0o600)
	writeFile(t, dir+"/carol", carol.Public(), 0o644)
	writeFile(t, dir+"/.dave.pub", "nonsense", 0o644)
	trusted, err := ReadTrusted(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, trusted.Names()); diff != "" || trusted.Len() != 3 {
		t.Error(trusted.Len(), diff)
	}
	for _, k := range []Key{alice, bob, next} {
		if s, err := trusted.Verify("x", sign(t, k, "x", ""), noon, time.Minute); err != nil || s.Signer != k.Name {
			t.Errorf("%v: %+v, %v", k, s, err)
		}
	}
	if empty, err := ReadTrusted(t.TempDir()); err != nil || empty.Len() != 0 {
		t.Errorf("an empty directory: %v, %v", empty, err)
	}
	var nobody *Trusted
	if nobody.Len() != 0 || nobody.Names() != nil {
		t.Error("a nil Trusted trusts somebody")
	}
}

// Every mistake is reported at once, with its place.
func TestTrustedMistakes(t *testing.T) {
	dir := t.TempDir()
	key := fixedKey("alice").Public()
	lines := []struct{ line, want string }{
		{"# fine", ""},
		{key, ""},
		{key, "this key stands in " + dir + "/a.pub:2, too"},
		{"ssh-ed25519 AAAA alice", "a trusted key is written: muster-ed25519 BASE64 NAME"},
		{"muster-ed25519 AAAA", "a trusted key is written"},
		{"muster-ed25519 AAAA alice", "the key must be 32 bytes in base64 (44 characters)"},
		{"muster-ed25519-private AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= alice", "this is a private key: take it away from here"},
		{generate(t, "bob").Public() + "/x", "a signer's name is of letters, digits and . _ - @, without '/'"},
		{generate(t, "bob").Public() + " event=deploy", `after the name, "event=deploy": only events=NAME,NAME… may stand there, once`},
		{generate(t, "bob").Public() + " events=a events=b", `after the name, "events=b": only events=NAME,NAME… may stand there, once`},
		{generate(t, "bob").Public() + " events=", "events=: a name is empty"},
		{generate(t, "bob").Public() + " events=a,,b", "events=: a name is empty"},
		{generate(t, "bob").Public() + " events=[", `events=: "[" is no pattern`},
		{generate(t, "bob").Public() + " events=a/b", `events=: "a/b" is no pattern`},
	}
	var text strings.Builder
	var want []string
	for i, l := range lines {
		fmt.Fprintln(&text, l.line)
		if l.want != "" {
			want = append(want, fmt.Sprintf("%s/a.pub:%d: %s", dir, i+1, l.want))
		}
	}
	writeFile(t, dir+"/a.pub", text.String(), 0o644)
	writeFile(t, dir+"/b.pub", generate(t, "eve").Public(), 0o666)
	writeFile(t, dir+"/c.pub", strings.Repeat("#", maxTrustedFile+1), 0o644)
	if err := os.Mkdir(dir+"/d.pub", 0o755); err != nil {
		t.Fatal(err)
	}
	want = append(want, "cannot trust the keys in "+dir+"/b.pub: others may change it (mode 0666): chmod go-w",
		"cannot read the trusted keys "+dir+"/c.pub: longer than 262144 bytes",
		"cannot read the trusted keys "+dir+"/d.pub: not a regular file")
	trusted, err := ReadTrusted(dir)
	if err == nil || trusted != nil {
		t.Fatalf("%v is read, %v", trusted, err)
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d mistakes, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%s\nwant %s", got[i], want[i])
		}
		if strings.Contains(got[i], "AAEC") {
			t.Errorf("a private key shows: %s", got[i])
		}
	}
	if _, err := ReadTrusted(dir + "/none"); err == nil || !strings.HasPrefix(err.Error(), "cannot read the trusted keys: ") {
		t.Error(err)
	}
}

// A file full of mistakes does not fill the log.
func TestTrustedBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trusted")
	writeFile(t, path, strings.Repeat("nonsense\n", 5000), 0o644)
	_, err := ReadTrusted(path)
	if err == nil || len(err.Error()) > 8<<10 || !strings.Contains(err.Error(), "too many mistakes") {
		t.Errorf("%.300v", err)
	}
	var text strings.Builder
	for range maxTrusted + 1 {
		fmt.Fprintln(&text, generate(t, "x").Public())
	}
	writeFile(t, path, text.String(), 0o644)
	if _, err := ReadTrusted(path); err == nil || !strings.Contains(err.Error(), "trusted:1001: more than 1000 keys") {
		t.Errorf("%.300v", err)
	}
}

// Whoever may put a key there is trusted: somebody else may not.
func TestTrustedBelongsToNobodyElse(t *testing.T) {
	dir := t.TempDir()
	key := generate(t, "eve").Public()
	writeFile(t, dir+"/eve.pub", key, 0o644)
	for mode, want := range map[os.FileMode]string{0o755: "", 0o775: "(mode 0775)", 0o757 | os.ModeSticky: "(mode 0757)"} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTrusted(dir); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a directory of mode %o: %v", mode, err)
		}
	}
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const eve = 12345
	for _, path := range []string{dir + "/eve.pub", dir} {
		if err := os.Chown(path, eve, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTrusted(dir); err == nil || !strings.Contains(err.Error(), "user 12345 may change it") {
			t.Errorf("%s is another's: %v", path, err)
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadTrusted(dir); err != nil {
		t.Error(err)
	}
}

func FuzzReadTrusted(f *testing.F) {
	key := fixedKey("alice").Public()
	f.Add("# x\n" + key + " events=a,b*\n")
	f.Add(key + "\r\n" + key)
	f.Add("muster-ed25519\t\n\x00")
	path := filepath.Join(f.TempDir(), "trusted")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		trusted, err := ReadTrusted(path)
		if (trusted == nil) != (err != nil) {
			t.Fatalf("%v, %v", trusted, err)
		}
		for _, name := range trusted.Names() {
			if checkName(name) != nil {
				t.Errorf("the name %q", name)
			}
		}
	})
}
