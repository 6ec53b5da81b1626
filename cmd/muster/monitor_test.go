package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// What is followed is printed in lines, and nothing in it makes one of its own.
func TestMonitorShows(t *testing.T) {
	member := cluster.Member{Name: "web1", Addr: addrOf(t, 0), Port: 7946, Status: cluster.Alive, Tags: map[string]string{"note": "a\nb"}}
	things := []monitored{
		{Log: "2026/11/21 13:55:16 [INFO] cluster: joined members=3"},
		{Log: "2026/11/21 13:55:16 [INFO] \x1b[2J"},
		{Event: newMonitoredEvent(cluster.Event{Type: cluster.EventUser, Name: "deploy", Payload: []byte("v1\n"), LTime: 7, Coalesce: true})},
		{Event: newMonitoredEvent(cluster.Event{Type: cluster.EventQuery, Name: "lo\nad", LTime: 8})},
		{Event: newMonitoredEvent(cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{member}})},
	}
	text := `2026/11/21 13:55:16 [INFO] cluster: joined members=3
"2026/11/21 13:55:16 [INFO] \x1b[2J"
Event Info:
	Event: "user"
	LTime: 7
	Name: "deploy"
	Payload: "v1\n"
	Coalesce: true
Event Info:
	Event: "query"
	LTime: 8
	Name: "lo\nad"
	Payload: ""
Event Info:
	Event: "member-join"
	Member: web1 10.0.0.1 alive "note=a\nb"
`
	lines := `{"log":"2026/11/21 13:55:16 [INFO] cluster: joined members=3"}
{"log":"2026/11/21 13:55:16 [INFO] \u001b[2J"}
{"event":{"type":"user","name":"deploy","payload":"djEK","ltime":7,"coalesce":true}}
{"event":{"type":"query","name":"lo\nad","ltime":8}}
{"event":{"type":"member-join","members":[{"name":"web1","addr":"10.0.0.1","port":7946,"status":"alive","tags":{"note":"a\nb"}}]}}
`
	for format, want := range map[string]string{"text": text, "json": lines} {
		var out bytes.Buffer
		a := &app{out: &out, format: format}
		for _, m := range things {
			if err := a.show(m); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}
