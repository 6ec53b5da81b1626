package signing

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	publicType  = "muster-ed25519"         // begins a line with a public key
	privateType = "muster-ed25519-private" // begins a line with a private one: RFC 8032's 32-byte seed

	idSize        = 8
	maxNameLength = 64
	maxKeyFile    = 4 << 10 // bytes
)

type keyID [idSize]byte

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

func idOf(public ed25519.PublicKey) keyID {
	sum := sha256.Sum256(public)
	return keyID(sum[:idSize])
}

// A Key is a private key, which signs. It shows itself as its name and id,
// whatever it is printed with.
type Key struct {
	// Name is who signs with it, for people: the name that counts for a verifier
	// is the one among its trusted keys.
	Name string

	private ed25519.PrivateKey
	id      keyID
}

// Generate makes a new key. The name is of letters, digits and . _ - @, at
// most 64, the first of them a letter, a digit or _.
func Generate(name string) (Key, error) {
	if err := checkName(name); err != nil {
		return Key{}, fmt.Errorf("cannot make a key: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make a key: %w", err)
	}
	return newKey(name, private), nil
}

func newKey(name string, private ed25519.PrivateKey) Key {
	return Key{Name: name, private: private, id: idOf(private.Public().(ed25519.PublicKey))}
}

// ID returns the key's id as 16 hexadecimal digits.
func (k Key) ID() string { return k.id.String() }

// Public returns the line that makes the key a trusted one, without a newline:
//
//	muster-ed25519 BASE64 NAME
func (k Key) Public() string {
	return fmt.Sprintf("%s %s %s", publicType, base64.StdEncoding.EncodeToString(k.private.Public().(ed25519.PublicKey)), k.Name)
}

// Format implements fmt.Formatter: whatever the verb, no secret.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s (%s)", k.Name, k.id) }

// ReadKey reads a private key: one line, beside comments that begin with #.
//
//	muster-ed25519-private BASE64 NAME
//
// A file that others than its owner may read or write is refused.
func ReadKey(path string) (Key, error) {
	k, err := readKey(path)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read the signing key %s: %w", path, err)
	}
	return k, nil
}

func readKey(path string) (Key, error) {
	text, info, err := readFile(path, maxKeyFile)
	if err != nil {
		return Key{}, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return Key{}, fmt.Errorf("others may read or change it (mode %04o): make it yours alone with chmod 600, and trust the key no longer if they did", perm)
	}
	var found *Key
	for n, line := range lines(text) {
		if found != nil {
			return Key{}, fmt.Errorf("line %d: one key is all that the file may hold", n)
		}
		k, err := parsePrivate(line)
		if err != nil {
			return Key{}, fmt.Errorf("line %d: %w", n, err)
		}
		found = &k
	}
	if found == nil {
		return Key{}, errors.New("no key in it")
	}
	return *found, nil
}

// parsePrivate reads a line of a private key. No error shows any of it.
func parsePrivate(line string) (Key, error) {
	f := strings.Fields(line)
	if f[0] == publicType {
		return Key{}, errors.New("this is a public key; the private one is in the file that belongs to it")
	}
	if f[0] != privateType || len(f) != 3 {
		return Key{}, fmt.Errorf("a private key is written: %s BASE64 NAME", privateType)
	}
	seed, err := decode(f[1], ed25519.SeedSize)
	if err != nil {
		return Key{}, err
	}
	if err := checkName(f[2]); err != nil {
		return Key{}, err
	}
	return newKey(f[2], ed25519.NewKeyFromSeed(seed)), nil
}

// Write writes the private key to a new file at path that only its owner can
// read. It never replaces a file.
func (k Key) Write(path string) error {
	if err := k.write(path); err != nil {
		return fmt.Errorf("cannot write the signing key: %w", err)
	}
	return nil
}

func (k Key) write(path string) error {
	if len(k.private) != ed25519.PrivateKeySize {
		return errors.New("there is none")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s %s\n", privateType, base64.StdEncoding.EncodeToString(k.private.Seed()), k.Name)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// decode reads the bytes of a key in base64 (RFC 4648 section 4), of which
// there is one spelling only.
func decode(text string, size int) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("the key must be %d bytes in base64 (%d characters)", size, base64.StdEncoding.EncodedLen(size))
	}
	return b, nil
}

// checkName keeps what is no name out of files, logs and expressions.
func checkName(name string) error {
	if name == "" || len(name) > maxNameLength || strings.ContainsRune(".-@", rune(name[0])) {
		return fmt.Errorf("a signer's name has 1 to %d characters and begins with a letter, a digit or _", maxNameLength)
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-@", c)) {
			return fmt.Errorf("a signer's name is of letters, digits and . _ - @, without %q", c)
		}
	}
	return nil
}
