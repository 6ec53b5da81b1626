package services

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/services/bzip2"
)

// Tags of two nodes that the scripts have written.
const (
	twoServices = "QlpoOTFBWSZTWRYvUqQAAEdfgAAQEAd3cAIBTQq/p98qIACSCVRoeoCYmTAmRtEw1PQShUyaY1DTQNqaPUzSYmmnXgnO/e1xezicmSBlE+ZLGRaCSZCoQU/DDOpQTXU8HcsFOI8ePFCctNpabGGFGERwQugEVgjhuuvV4YZmrB2IPvJcWD50fz1CwQ/Qk0ZwPGw1QhSKIxahHWlaFzd0OxdyRThQkBYvUqQ="
	oneService  = "QlpoOTFBWSZTWYyBIrAAACDfgAAQEAU3cAABTQq/p98qIAB0KmamNQAaA00NGmj1CE1DTTTIDTQD1BoCxgGvU1qSGcNuDVCWkQR6RLEbmWzg5wpel4RESCEcNtwe0nBHN0TiZsGXyr89gMVvEZjdByRAu5E6UKOTFfEn8XckU4UJCMgSKwA="
)

func TestTagsOfTheScripts(t *testing.T) {
	got, err := Decode(twoServices)
	want := []Service{
		{Type: "TEST", Description: "TEST", Host: "raspberry-1.guifi.local", IP: "192.168.1.140", Port: "TEST", Text: "TEST"},
		{Type: "tincvpn", Description: "TincVPN_System", Host: "raspberry-1.guifi.local", IP: "192.168.1.140", Port: "665"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("two services: %v (-want +got):\n%s", err, diff)
	}
	ours, err := Encode(want)
	if err != nil || len(ours) > len(twoServices) {
		t.Errorf("ours takes %d bytes, theirs %d: %v", len(ours), len(twoServices), err)
	}
	t.Logf("ours takes %d bytes, theirs %d", len(ours), len(twoServices))
	got, err = Decode(oneService)
	want = []Service{{Type: "tincvpn", Description: "TincVPN_System", Host: "raspberrypi.guifi.local", IP: "192.168.1.141", Port: "665"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("one service: %v (-want +got):\n%s", err, diff)
	}
}

// The pipeline of the scripts reads ours, and is read.
func TestPipelineOfTheScripts(t *testing.T) {
	for _, program := range []string{"bzip2", "base64", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", program)
			}
			t.Skipf("SKIPPED: %s is not installed (Debian: apt-get install bzip2 jq coreutils)", program)
		}
	}
	shell := func(line, in string) string {
		t.Helper()
		cmd := exec.Command("bash", "-o", "pipefail", "-c", line)
		cmd.Stdin = strings.NewReader(in)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	list := []Service{
		{Type: "web", Description: "The_<Shop>", Host: "web1.guifi.local", IP: "10.1.2.3", Port: "80", Device: "eth0", Text: `path=/a"b\c&tls=1`},
		{Type: "vidéo", Host: "web1.guifi.local", IP: "fd00::1", Port: "8080"},
	}
	tag, err := Encode(list)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shell("base64 -d | bunzip2 | jq -cS .", tag), shell("jq -cS .", string(want)); got != want {
		t.Errorf("they read\n%s\nof\n%s", got, want)
	}
	for _, encode := range []string{"jq -c . | bzip2 -9 | base64 -w0", "jq . | bzip2 | base64", "jq -c . | tr -d '\\n' | bzip2 -1 | base64 -w0"} {
		got, err := Decode(shell(encode, string(want)))
		if diff := cmp.Diff(list, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", encode, err, diff)
		}
	}
	// One more, as a script adds it, with the port as a number.
	added := shell(`base64 -d | bunzip2 | jq -c '. + [{s: "dns", d: "Names", m: "a.b.local", i: "", p: 53, e: null, t: "", new: {a: [1]}}]' | bzip2 | base64 -w0`, tag)
	got, err := Decode(added)
	more := append(list, Service{Type: "dns", Description: "Names", Host: "a.b.local", Port: "53"})
	if diff := cmp.Diff(more, got); diff != "" || err != nil {
		t.Errorf("added: %v (-want +got):\n%s", err, diff)
	}
}

// packed makes a tag of anything.
func packed(t testing.TB, text string) string {
	t.Helper()
	data, err := bzip2.Compress([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

func TestBadTags(t *testing.T) {
	one, two := bytesOf(t, packed(t, "[]")), bytesOf(t, packed(t, " "))
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, 9)
	w.Close()
	text := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ tag, err string }{
		"not base64":   {"!", "it is not base64: illegal base64 data at input byte 0"},
		"not bzip2":    {text([]byte("hello")), "it is not bzip2"},
		"flate":        {text(deflated.Bytes()), "it is not bzip2"},
		"level 0":      {text([]byte("BZh0...........")), "it is not bzip2"},
		"cut":          {text(one[:len(one)-3]), "it is cut off, or not bzip2"},
		"a bit":        {text(flip(one, 30)), "it is cut off, or not bzip2"},
		"more":         {text(append(bytes.Clone(one), "more"...)), "4 bytes follow the stream"},
		"two streams":  {text(append(bytes.Clone(one), two...)), "37 bytes follow the stream"},
		"and an empty": {text(append(bytes.Clone(one), bytesOf(t, packed(t, ""))...)), "14 bytes follow the stream"},
		"no JSON":      {packed(t, ""), "it holds no list of services: unexpected end of JSON input"},
		"an object":    {packed(t, "{}"), "it holds no list of services: "},
		"of texts":     {packed(t, `["web"]`), "it holds no list of services: "},
		"a list":       {packed(t, `[{"s":["web"]}]`), "it holds no list of services: a service's values are strings or numbers"},
		"true":         {packed(t, `[{"s":true}]`), "it holds no list of services: a service's values are strings or numbers"},
		"deep":         {packed(t, `[{"x":`+strings.Repeat("[", 8000)+strings.Repeat("]", 8000)+"}]"), "its JSON is nested more than 8 deep"},
		"long":         {strings.Repeat("A", MaxTag+1), "it has 1025 bytes: the limit is 1024"},
		"large":        {packed(t, "["+strings.Repeat(" ", MaxJSON)+"]"), "it inflates to more than 16384 bytes"},
		"many":         {packed(t, "["+strings.Repeat("{},", MaxServices)+"{}]"), "it has 129 services: the limit is 128"},
	} {
		list, err := Decode(c.tag)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot read the tag services: "+c.err) {
			t.Errorf("%s: %v %v, want %s", name, list, err, c.err)
		}
	}
	for name, tag := range map[string]string{"empty": "", "an empty list": packed(t, " [ ] \n"), "null": packed(t, "null"), "brackets in a string": packed(t, `[{"s":"\"[[[[[[[[[["}]`)} {
		if _, err := Decode(tag); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func bytesOf(t *testing.T, tag string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(tag)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0x10
	return data
}

// Bombs: what `bzip2` makes of zeros. The first inflates to 306 MB; the last
// has blocks that are as small as ours.
func bombs(t testing.TB) map[string]string {
	first := "QlpoOTFBWSZTWQ4J4t8BX45AAMAAAAggADCATUZCoCWpCoCX" + strings.Repeat("MUFZJlNZDgni3wFfjkAAwAAACCAAMIBNRkKgJakKgJcx", 5) +
		"QVkmU1lpaK3DAE4iwADAAAAIIAAgpAgyJRJWESiSuLuSKcKEhPZJoVg="
	return map[string]string{
		"306 MB": first,
		// 5 MB, in one block.
		"5 MB": "QlpoMTFBWSZTWabi8/QAJkvAAsAACAAACCAAMMwFKaapEUbAoijxdyRThQkKbi8/QA==",
		// A little more than may be.
		"just too large": packed(t, strings.Repeat("0", MaxJSON+1)),
		// Noise up to the bound, and the largest list.
		"many numbers": packed(t, "["+strings.Repeat(`{"p":1,"x":[[[[[]]]]]},`, 127)+"{}]"),
	}
}

func TestBombs(t *testing.T) {
	for name, tag := range bombs(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(tag)
		runtime.ReadMemStats(&after)
		if err == nil && name != "many numbers" {
			t.Errorf("%s: it is read", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: it takes %d bytes of memory", name, n)
		} else {
			t.Logf("%s: %d bytes of memory for a tag of %d: %v", name, n, len(tag), err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	tags := bombs(b)
	tags["two services"] = twoServices
	for name, tag := range tags {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Decode(tag)
			}
		})
	}
	b.Run("cached", func(b *testing.B) {
		var c Cache
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Decode(twoServices)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, tag := range bombs(f) {
		f.Add(tag)
	}
	f.Add(twoServices)
	f.Add(oneService)
	f.Fuzz(func(t *testing.T, tag string) {
		list, err := Decode(tag)
		if err != nil || len(list) == 0 {
			return
		}
		again, err := Encode(list)
		if err != nil { // it escapes what was not
			return
		}
		back, err := Decode(again)
		if err != nil && len(again) > MaxTag {
			return
		}
		if diff := cmp.Diff(list, back); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringN(0, 12, 20)
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Service {
			return Service{word.Draw(t, "s"), word.Draw(t, "d"), word.Draw(t, "m"), word.Draw(t, "i"), word.Draw(t, "p"), word.Draw(t, "e"), word.Draw(t, "t")}
		}), 1, 4).Draw(t, "services")
		tag, err := Encode(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(tag)
		if len(tag) > MaxTag {
			return
		}
		if diff := cmp.Diff(list, got); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}
