package bzip2

import (
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// samples are the texts that services make, and those that are hard on one of
// the steps.
func samples() map[string][]byte {
	noise := make([]byte, MaxInput)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(noise)
	all := map[string][]byte{
		"nothing": nil, "one byte": []byte("a"), "two": []byte("ab"), "the same": []byte("aaaa"), "five": []byte("aaaaa"),
		"259": bytes.Repeat([]byte("x"), 259), "a long run": bytes.Repeat([]byte{0}, MaxInput), "periodic": bytes.Repeat([]byte("ab"), MaxInput/2),
		"period of 7": bytes.Repeat([]byte("abcabca"), 1000), "noise": noise, "little noise": noise[:300],
		"runs of four": bytes.Repeat([]byte("aaaabbbb"), 5000),
		"issue":        []byte(`[{"s":"TEST","d":"TEST","m":"raspberry-1.guifi.local","i":"192.168.1.140","p":"TEST","e":"","t":"TEST"},{"s":"tincvpn","d":"TincVPN_System","m":"raspberry-1.guifi.local","i":"192.168.1.140","p":"665","e":"","t":""}]`),
		"one":          []byte(`[{"s":"web","d":"Shop","m":"web1.cloud.local","i":"10.0.0.1","p":"80","e":"","t":""}]`),
	}
	var skewed []byte // symbols whose Huffman code would be longer than the format's
	for i, a, b := 0, 1, 1; len(skewed)+a < MaxInput; i, a, b = i+1, b, a+b {
		skewed = append(skewed, bytes.Repeat([]byte{byte(i), 255}, a/2+1)...)
	}
	all["skewed"] = skewed
	var many strings.Builder
	for i := range 10 {
		fmt.Fprintf(&many, `{"s":"service%d","d":"Some_Service_%d","m":"node%d.guifi.local","i":"10.1.2.%d","p":"%d","e":"","t":"a=%d&b=c"},`, i, i*7, i, i*13, 1000+i, i)
	}
	all["many"] = []byte(many.String())
	return all
}

func check(t interface{ Fatalf(string, ...any) }, data []byte) []byte {
	packed, err := Compress(data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	got, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(packed)))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back as %d: %v", len(data), len(got), err)
	}
	got, err = Decompress(packed, len(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("Decompress: %d bytes came back as %d: %v", len(data), len(got), err)
	}
	if _, err := Decompress(packed, len(data)-1); err == nil && len(data) > 0 {
		t.Fatalf("%d bytes came back through a limit of one less", len(data))
	}
	return packed
}

func TestStandardLibraryReadsIt(t *testing.T) {
	for name, data := range samples() {
		t.Run(name, func(t *testing.T) { check(t, data) })
	}
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.IntRange(1, 256).Draw(t, "alphabet")
		data := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, alphabet-1), func(i int) byte { return byte(i) }), 0, 3000).Draw(t, "data")
		check(t, data)
	})
}

// The program takes what Compress makes, and makes nothing smaller itself.
func TestProgramReadsIt(t *testing.T) {
	if _, err := exec.LookPath("bzip2"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bzip2 is not installed")
		}
		t.Skip("SKIPPED: bzip2 is not installed (Debian: apt-get install bzip2)")
	}
	run := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("bzip2", args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("bzip2 %v: %v", args, err)
		}
		return out
	}
	for name, data := range samples() {
		packed := check(t, data)
		if got := run(packed, "-dc"); !bytes.Equal(got, data) {
			t.Errorf("%s: the program reads %d bytes of %d", name, len(got), len(data))
		}
		theirs := run(data, "-9c")
		for _, other := range [][]byte{theirs, run(data, "-1c")} {
			if got, err := Decompress(other, len(data)); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: of the program's, %d bytes of %d are read: %v", name, len(got), len(data), err)
			}
		}
		if len(packed) > len(theirs) {
			t.Errorf("%s: %d bytes, and bzip2 -9 makes %d", name, len(packed), len(theirs))
		}
		t.Logf("%s: %d bytes become %d; bzip2 -9: %d", name, len(data), len(packed), len(theirs))
	}
}

func TestTooMuch(t *testing.T) {
	_, err := Compress(make([]byte, MaxInput+1))
	if want := "cannot compress 65537 bytes: the limit is 65536"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Codes are complete prefix codes, whatever occurs how often.
func TestCodesAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		often := rapid.SliceOfN(rapid.IntRange(0, 60000), 3, 258).Draw(t, "often")
		if got := lengths(often); got.room() != 1<<longest {
			t.Fatalf("%v takes %d of %d", got, got.room(), 1<<longest)
		}
	})
}

func FuzzCompress(f *testing.F) {
	for _, data := range samples() {
		if len(data) < 5000 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) <= MaxInput {
			check(t, data)
		}
	})
}

// lenient reports an error about a table that is no complete code. The standard
// library reads something out of such a one all the same; the program does not.
func lenient(err error) bool {
	return strings.Contains(err.Error(), "more codes than there can be") || strings.Contains(err.Error(), "there is no such code")
}

// The standard library reads what Decompress reads, and nothing else of it.
func FuzzDecompress(f *testing.F) {
	for _, data := range samples() {
		if packed, err := Compress(data); err == nil && len(packed) < 1000 {
			f.Add(packed)
			f.Add(append(bytes.Clone(packed), packed...))
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 1000
		got, err := Decompress(packed, limit)
		want, theirs := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(packed)), limit+1))
		switch {
		case err == nil && (theirs != nil || !bytes.Equal(got, want)):
			t.Fatalf("%q, and theirs is %q: %v", got, want, theirs)
		case err == nil && len(got) > limit:
			t.Fatalf("%d bytes", len(got))
		case err != nil && theirs == nil && len(want) <= limit && bytes.Count(packed, []byte("BZh")) == 1 && !lenient(err):
			t.Fatalf("%v, and theirs is %q", err, want)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	packed, err := Compress(samples()["issue"])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decompress(packed, 16<<10); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, name := range []string{"one", "issue", "many", "noise", "periodic"} {
		data := samples()[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compress(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
