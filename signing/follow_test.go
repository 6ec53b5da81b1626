package signing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFollow(t *testing.T) {
	now, maxAge := time.UnixMilli(10_000_000), time.Minute
	by := func(signer string, at int64) Signed { return Signed{Signer: signer, Time: time.UnixMilli(at)} }
	latest := map[string]int64{"a": 9_999_000, "b": 9_990_000, "old": now.Add(-maxAge-2*MaxSkew).UnixMilli() - 1}
	for _, at := range []int64{9_999_000, 9_998_999} {
		if next, err := Follow(latest, by("a", at), now, maxAge); err == nil {
			t.Errorf("a copy from %d is obeyed: %v", at, next)
		}
	}
	got, err := Follow(latest, by("a", 9_999_001), now, maxAge)
	if diff := cmp.Diff(map[string]int64{"a": 9_999_001, "b": 9_990_000}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if len(latest) != 3 || latest["a"] != 9_999_000 {
		t.Errorf("what was known has changed: %v", latest)
	}
	got, err = Follow(nil, by("c", 1), now, maxAge)
	if diff := cmp.Diff(map[string]int64{"c": 1}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
