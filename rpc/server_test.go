package rpc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func TestFilters(t *testing.T) {
	events := []cluster.Event{
		{Type: cluster.EventJoin}, {Type: cluster.EventReap}, {Type: cluster.EventUser, Name: "deploy"},
		{Type: cluster.EventUser, Name: "x"}, {Type: cluster.EventQuery, Name: "deploy"},
	}
	for text, want := range map[string]string{
		"":                                "member-join member-reap user:deploy user:x query:deploy",
		"*":                               "member-join member-reap user:deploy user:x query:deploy",
		"user":                            "user:deploy user:x",
		"user:":                           "user:deploy user:x",
		"user:deploy":                     "user:deploy",
		"query:deploy,member-reap":        "member-reap query:deploy",
		"member-leave,user:*":             "",
		"member-joined":                   "error",
		"user,":                           "error",
		"member-join:x":                   "error",
		"user:deploy, member-join":        "error",
		"member-join,member-join,user:,*": "member-join member-reap user:deploy user:x query:deploy",
	} {
		filters, err := parseFilters(text)
		got := "error"
		if err == nil {
			got = ""
			for _, e := range events {
				for _, f := range filters {
					if f.matches(e) {
						if got != "" {
							got += " "
						}
						got += e.Type
						if e.Name != "" {
							got += ":" + e.Name
						}
						break
					}
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
