package signing

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write testdata/envelope.hex")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixedKey is the key whose seed is 0, 1, 2 … 31.
func fixedKey(name string) Key {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return newKey(name, ed25519.NewKeyFromSeed(seed))
}

func generate(t *testing.T, name string) Key {
	t.Helper()
	k, err := Generate(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// trust reads lines as a file of trusted keys.
func trust(t *testing.T, lines ...string) *Trusted {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trusted")
	writeFile(t, path, strings.Join(lines, "\n"), 0o644)
	trusted, err := ReadTrusted(path)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func sign(t *testing.T, k Key, event, payload string) []byte {
	t.Helper()
	e, err := k.Sign(event, []byte(payload), noon)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// goldenFile holds an envelope: of the event deploy with the payload v1, signed
// at noon with fixedKey.
var goldenFile = filepath.Join("testdata", "envelope.hex")

func golden(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	e, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSignAndVerify(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	trusted := trust(t, alice.Public(), bob.Public()+" events=deploy,compile-*")
	stranger := generate(t, "alice") // the same name says nothing
	good := sign(t, alice, "deploy", "v1")
	for _, c := range []struct {
		name, event string
		payload     []byte
		after       time.Duration
		want        error
	}{
		{"good", "deploy", good, 0, nil},
		{"an empty payload", "deploy", sign(t, alice, "deploy", ""), 0, nil},
		{"one envelope in another", "deploy", sign(t, alice, "deploy", string(good)), 0, nil},
		{"as old as can be", "deploy", good, 5 * time.Minute, nil},
		{"a clock that is behind", "deploy", good, -MaxSkew, nil},
		{"too old", "deploy", good, 5*time.Minute + time.Millisecond, ErrStale},
		{"from the future", "deploy", good, -MaxSkew - time.Millisecond, ErrStale},
		{"another event", "delete", good, 0, ErrForged},
		{"a longer name", "deploy2", good, 0, ErrForged},
		{"no name", "", good, 0, ErrForged},
		{"a name beyond all bounds", strings.Repeat("x", maxName+1), good, 0, ErrForged},
		{"a stranger", "deploy", sign(t, stranger, "deploy", "v1"), 0, ErrUnknownKey},
		{"allowed by name", "deploy", sign(t, bob, "deploy", "v1"), 0, nil},
		{"allowed by pattern", "compile-web", sign(t, bob, "compile-web", ""), 0, nil},
		{"not allowed", "delete", sign(t, bob, "delete", ""), 0, ErrForbidden},
		{"not allowed, and too old", "delete", sign(t, bob, "delete", ""), time.Hour, ErrForbidden},
		{"text", "deploy", []byte("v1"), 0, ErrUnsigned},
		{"nothing", "deploy", nil, 0, ErrUnsigned},
		{"cut short", "deploy", good[:atPayload-1], 0, ErrUnsigned},
		{"a payload cut off", "deploy", good[:atPayload], 0, ErrForged},
		{"a payload gone on", "deploy", append(bytes.Clone(good), '!'), 0, ErrForged},
	} {
		s, err := trusted.Verify(c.event, c.payload, noon.Add(c.after), 5*time.Minute)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if err != nil && (s.Signer != "" || s.Payload != nil) {
			t.Errorf("%s: refused, and yet %+v", c.name, s)
		}
	}
	s, err := trusted.Verify("deploy", good, noon.Add(time.Second), time.Minute)
	want := Signed{Signer: "alice", Time: noon, Nonce: [NonceSize]byte(good[20:28]), Payload: []byte("v1")}
	if diff := cmp.Diff(want, s); diff != "" || err != nil {
		t.Error(diff, err)
	}
	var nobody *Trusted
	if _, err := nobody.Verify("deploy", good, noon, time.Minute); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a nil Trusted: %v", err)
	}
	for _, bad := range []string{"", strings.Repeat("x", maxName+1)} {
		if _, err := alice.Sign(bad, nil, noon); err == nil {
			t.Errorf("an event of %d bytes is signed", len(bad))
		}
	}
	if _, err := (Key{}).Sign("deploy", nil, noon); err == nil {
		t.Error("a key that is none signs")
	}
}

// TestEnvelope holds the format to the package's comment, byte by byte: what
// one version signs others must be able to read.
func TestEnvelope(t *testing.T) {
	k := fixedKey("alice")
	e := sign(t, k, "deploy", "v1")
	if len(e) != len("v1")+Overhead || Overhead != 92 {
		t.Errorf("an envelope of %d bytes around 2", len(e))
	}
	for at, want := range map[int]string{
		0:  "ff6d7301",
		4:  hex.EncodeToString(k.id[:]),
		12: fmt.Sprintf("%016x", noon.UnixMilli()),
		92: hex.EncodeToString([]byte("v1")),
	} {
		if got := hex.EncodeToString(e[at : at+len(want)/2]); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	if bytes.Equal(e[20:28], sign(t, k, "deploy", "v1")[20:28]) {
		t.Error("two envelopes have the same nonce")
	}
	if *update {
		if err := os.WriteFile(goldenFile, []byte(hex.EncodeToString(e)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The public key of RFC 8032 for this seed, as another implementation has it.
	const public = "muster-ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg= alice"
	if k.Public() != public {
		t.Errorf("the public key is %s", k.Public())
	}
	s, err := trust(t, public).Verify("deploy", golden(t), noon, time.Minute)
	if err != nil || s.Signer != "alice" || string(s.Payload) != "v1" {
		t.Errorf("%+v, %v", s, err)
	}
}

// Not one bit of an envelope can change.
func TestEveryBit(t *testing.T) {
	k := fixedKey("alice")
	trusted := trust(t, k.Public())
	good := sign(t, k, "deploy", "payload")
	for bit := range len(good) * 8 {
		e := bytes.Clone(good)
		e[bit/8] ^= 1 << (bit % 8)
		want := ErrForged
		switch at := bit / 8; {
		case at < atKey:
			want = ErrUnsigned
		case at < atTime:
			want = ErrUnknownKey
		}
		if s, err := trusted.Verify("deploy", e, noon, time.Minute); !errors.Is(err, want) {
			t.Errorf("bit %d of byte %d: %+v, %v, want %v", bit%8, bit/8, s, err, want)
		}
	}
}

// What is not covered by the scalar's range of RFC 8032 section 5.1.7 would make
// a second envelope out of one.
func TestSignatureIsNotMalleable(t *testing.T) {
	k := fixedKey("alice")
	e := sign(t, k, "deploy", "payload")
	order, err := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010") // L, little-endian
	if err != nil {
		t.Fatal(err)
	}
	carry := 0
	for i, s := 0, e[atSignature+32:atPayload]; i < 32; i++ {
		carry += int(s[i]) + int(order[i])
		s[i], carry = byte(carry), carry>>8
	}
	if s, err := trust(t, k.Public()).Verify("deploy", e, noon, time.Minute); !errors.Is(err, ErrForged) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAnyEventIsVerified(t *testing.T) {
	k := fixedKey("alice")
	trusted := trust(t, k.Public())
	rapid.Check(t, func(t *rapid.T) {
		event := rapid.StringN(1, -1, 500).Draw(t, "event")
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		now := time.UnixMilli(rapid.Int64Range(0, 1<<48).Draw(t, "now"))
		e, err := k.Sign(event, payload, now)
		if err != nil {
			t.Fatal(err)
		}
		if inner, signed := Open(e); !signed || !bytes.Equal(inner, payload) {
			t.Fatalf("Open: %q, %v", inner, signed)
		}
		s, err := trusted.Verify(event, e, now, time.Second)
		if err != nil || !bytes.Equal(s.Payload, payload) || !s.Time.Equal(now) {
			t.Fatalf("%+v, %v", s, err)
		}
		if other := rapid.String().Draw(t, "other"); other != event {
			if _, err := trusted.Verify(other, e, now, time.Second); !errors.Is(err, ErrForged) {
				t.Fatalf("as %q: %v", other, err)
			}
		}
	})
}

// No text is taken for an envelope.
func TestOpenText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.String().Draw(t, "text"))
		if inner, signed := Open(text); signed || !bytes.Equal(inner, text) {
			t.Fatalf("%q, %v", inner, signed)
		}
	})
}

// A time that no clock shows is stale, not a panic or a wrap-around.
func TestWildTimes(t *testing.T) {
	k := fixedKey("alice")
	trusted := trust(t, k.Public())
	for _, ms := range []int64{0, -1, 1 << 62, -1 << 63, 1<<63 - 1} {
		e, err := k.Sign("deploy", nil, time.UnixMilli(ms))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := trusted.Verify("deploy", e, noon, time.Hour); !errors.Is(err, ErrStale) {
			t.Errorf("%d ms: %v", ms, err)
		}
	}
}

// However a key is printed, no secret shows.
func TestKeyIsNotPrinted(t *testing.T) {
	k := fixedKey("alice")
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", k, "pointer", &k)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "key", k, "in", struct{ K Key }{k})
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&b, format+" "+format+"\n", k, []Key{k})
	}
	for _, secret := range []string{"AAECAwQF", "000102030405", "0 1 2 3 4 5", "0x0, 0x1, 0x2"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s shows in:\n%s", secret, b.String())
		}
	}
	if !strings.Contains(b.String(), "alice ("+k.ID()+")") {
		t.Errorf("the key's name is not to be seen in:\n%s", b.String())
	}
}

func FuzzVerify(f *testing.F) {
	k, good := fixedKey("alice"), golden(f) // every worker must start from the same
	trusted := &Trusted{keys: map[keyID]trustedKey{k.id: {name: "alice", public: k.private.Public().(ed25519.PublicKey)}}}
	f.Add("deploy", good)
	f.Add("deploy", good[:atPayload])
	f.Add("deploy", []byte(magic))
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		inner, signed := Open(payload)
		if !bytes.HasSuffix(payload, inner) || signed != (len(inner) == len(payload)-Overhead) {
			t.Errorf("Open(%x) is %x, %v", payload, inner, signed)
		}
		s, err := trusted.Verify(event, payload, noon, time.Minute)
		if err == nil && !(event == "deploy" && bytes.Equal(payload, good)) {
			t.Errorf("forged: %q %x", event, payload)
		}
		if errors.Is(err, ErrUnsigned) == signed || err == nil && !bytes.Equal(s.Payload, inner) {
			t.Errorf("Open says %v, Verify %v", signed, err)
		}
	})
}
