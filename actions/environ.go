package actions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"muster/cluster"
	"muster/rules"
)

// What Serf's agent tells a handler in its environment and on its standard
// input is described on the page "Event Handlers" of its documentation
// (docs/agent/event-handlers).

var notInVariable = regexp.MustCompile(`[^A-Z0-9_]`)

// serfEnv returns the variables that Serf's agent sets for a handler. Of tags
// whose names come to the same variable the last one in order wins.
func serfEnv(self cluster.Member, e cluster.Event) []string {
	env := []string{"SERF_EVENT=" + e.Type, "SERF_SELF_NAME=" + self.Name, "SERF_SELF_ROLE=" + self.Tags["role"]}
	for _, tag := range slices.Sorted(maps.Keys(self.Tags)) {
		name := notInVariable.ReplaceAllString(strings.ToUpper(tag), "_")
		env = append(env, "SERF_TAG_"+name+"="+self.Tags[tag])
	}
	switch e.Type {
	case cluster.EventUser:
		env = append(env, "SERF_USER_EVENT="+e.Name, fmt.Sprintf("SERF_USER_LTIME=%d", e.LTime))
	case cluster.EventQuery:
		env = append(env, "SERF_QUERY_NAME="+e.Name, fmt.Sprintf("SERF_QUERY_LTIME=%d", e.LTime))
	}
	return env
}

// serfInput returns what Serf's agent writes to a handler: of a member event a
// line for each member, of any other the payload, with a newline at its end if
// it is not empty.
func serfInput(e cluster.Event) []byte {
	if e.Type == cluster.EventUser || e.Type == cluster.EventQuery {
		if n := len(e.Payload); n > 0 && e.Payload[n-1] != '\n' {
			return append(e.Payload[:n:n], '\n')
		}
		return e.Payload
	}
	var out bytes.Buffer
	for _, m := range e.Members {
		var tags []string
		for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
			tags = append(tags, name+"="+m.Tags[name])
		}
		fmt.Fprintf(&out, "%s\t%s\t%s\t%s\n", oneField(m.Name), m.Addr, oneField(m.Tags["role"]), oneField(strings.Join(tags, ",")))
	}
	return out.Bytes()
}

var fieldEscapes = strings.NewReplacer("\t", `\t`, "\n", `\n`)

func oneField(s string) string { return fieldEscapes.Replace(s) }

// An input is what `stdin = "json"` gives: the event, in one object. A payload
// that is no UTF-8 is in payload_base64 instead of payload.
type input struct {
	Type    string           `json:"type"`
	Name    string           `json:"name,omitempty"`
	LTime   uint64           `json:"ltime,omitempty"`
	Payload *string          `json:"payload,omitempty"`
	Base64  []byte           `json:"payload_base64,omitempty"`
	Signer  string           `json:"signer,omitempty"`
	Members []cluster.Member `json:"members,omitempty"`
	Self    cluster.Member   `json:"self"`
	Rule    string           `json:"rule"`
}

// stdin returns what a command of a rule reads.
func stdin(kind, rule string, o rules.Occasion) ([]byte, error) {
	e := o.Event
	switch kind {
	case rules.StdinPayload:
		return e.Payload, nil
	case rules.StdinJSON:
		in := input{Type: e.Type, Name: e.Name, LTime: e.LTime, Signer: o.Signer, Members: e.Members, Self: o.View.SelfMember(), Rule: rule}
		if text := string(e.Payload); e.Type != cluster.EventUser && e.Type != cluster.EventQuery {
			// there is none
		} else if utf8.ValidString(text) {
			in.Payload = &text
		} else {
			in.Base64 = e.Payload
		}
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("cannot write the event as JSON: %w", err)
		}
		return append(text, '\n'), nil
	}
	return serfInput(e), nil
}
