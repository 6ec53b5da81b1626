package services

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// What is asked for again and again stays; whatever comes, the cache does not
// grow beyond its bounds.
func TestCacheIsBounded(t *testing.T) {
	var c Cache
	first, err := c.Decode(twoServices)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * cachedTags {
		bad := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d", i))
		if _, err := c.Decode(bad); err == nil {
			t.Fatalf("%q is read", bad)
		}
		if list, err := c.Decode(twoServices); err != nil || &list[0] != &first[0] {
			t.Fatalf("after %d others the tag is read again", i)
		}
		if len(c.young) > cachedTags || len(c.old) > cachedTags || c.size > cachedBytes {
			t.Fatalf("it holds %d and %d tags, %d bytes", len(c.young), len(c.old), c.size)
		}
	}
}

// A bad tag is remembered as such: a node that sends one costs nothing more.
func TestCacheOfBadTags(t *testing.T) {
	var c Cache
	bad := packed(t, "no JSON")
	_, first := c.Decode(bad)
	_, second := c.Decode(bad)
	if first == nil || first != second {
		t.Errorf("%v and then %v", first, second)
	}
}

func TestCacheIsBoundedInBytes(t *testing.T) {
	var c Cache
	for i := range 1000 {
		_, _ = c.Decode(packed(t, fmt.Sprintf(`[{"s":"%d"}`, i)+strings.Repeat(",{}", MaxServices-1)+"]"))
		if c.size > cachedBytes {
			t.Fatalf("it holds %d bytes", c.size)
		}
	}
}
