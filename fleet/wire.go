package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muster/agent"
	"muster/cluster"
	"muster/human"
	"muster/reconcile"
)

const (
	// version changes when a field comes to mean something else. What is only
	// added does not change it.
	version = 1
	// room is how many bytes an answer takes at most: Serf lets 1,024 through
	// with what it adds, which is 54 and the name of the node, of 128 at most.
	room = 840
	// maxAnswer is how many bytes of an answer are looked at, and maxQuestion
	// of a question.
	maxAnswer, maxQuestion = 1024, 1024
	// maxMembers is how many members a question may be about.
	maxMembers = 8
	maxWhy     = 160 // bytes of a reason
	maxVersion = 32  // bytes of muster's version
)

// A question asks how the rules stand, and how they stand to some members.
type question struct {
	Version int      `json:"v"`
	Members []string `json:"m,omitempty"`
}

func readQuestion(text []byte) (q question, err error) {
	switch {
	case len(text) == 0: // asked by hand
		return q, nil
	case len(text) > maxQuestion || json.Unmarshal(text, &q) != nil:
		return q, errors.New("it is not the JSON of a question")
	case q.Version != version:
		return q, fmt.Errorf("it is of version %d, and this muster knows version %d", q.Version, version)
	case len(q.Members) > maxMembers:
		return q, fmt.Errorf("it is about %d members, and may be about %d", len(q.Members), maxMembers)
	}
	return q, nil
}

// An answer is JSON, so that `serf query` shows it to people, with short names.
// What does not fit is counted.
type answer struct {
	Version  int            `json:"v"`
	Muster   string         `json:"muster,omitempty"`
	Counts   map[string]int `json:"n"`              // rules by state
	Mistakes bool           `json:"bad,omitempty"`  // in the rules
	Members  []memberAnswer `json:"m,omitempty"`    // those asked for
	Rules    []ruleAnswer   `json:"r,omitempty"`    // not in sync
	More     int            `json:"more,omitempty"` // rules not in sync that did not fit
}

type ruleAnswer struct {
	Rule  string `json:"r"`
	State string `json:"s"`
	Since int64  `json:"t,omitempty"` // in seconds since 1970
	Why   string `json:"w,omitempty"` // shortened
}

type memberAnswer struct {
	Name     string       `json:"n"`
	Status   string       `json:"s,omitempty"` // as seen there; empty: not known
	Draining bool         `json:"d,omitempty"` // likewise
	Lagging  int          `json:"l,omitempty"` // rules that have not loaded what they say of it
	Lags     []ruleAnswer `json:"lag,omitempty"`
	In       []string     `json:"in,omitempty"` // rules whose loaded files are about it
	More     int          `json:"more,omitempty"`
}

// encode makes the answer, of room bytes at most: first what is asked for, then
// which rules lag, then which are not in sync, as many as fit.
func encode(muster string, s agent.Standing) []byte {
	a := answer{Version: version, Muster: human.Clip(muster, maxVersion), Counts: map[string]int{}, Mistakes: s.Mistakes}
	var others []ruleAnswer
	for _, r := range s.Rules {
		a.Counts[string(r.State)]++
		if r.State != reconcile.InSync && r.State != agent.NotInForce {
			others = append(others, ruleOf(r))
		}
	}
	a.More = len(others)
	for i, m := range s.Members {
		a.Members = append(a.Members, memberAnswer{
			Name: m.Name, Status: string(m.Status), Draining: m.Draining, Lagging: len(m.Lags), More: len(m.In),
		})
		if a.size() > room { // whoever asks sees that nothing is said of the rest
			a.Members = a.Members[:i]
			break
		}
	}
	for i := range a.Members {
		m := &a.Members[i]
		for _, r := range s.Members[i].Lags {
			m.Lags = append(m.Lags, ruleOf(r))
			if a.size() > room {
				m.Lags = m.Lags[:len(m.Lags)-1]
				break
			}
		}
	}
	for _, r := range others {
		a.Rules, a.More = append(a.Rules, r), a.More-1
		if a.size() > room {
			a.Rules, a.More = a.Rules[:len(a.Rules)-1], a.More+1
			break
		}
	}
	for i := range a.Members {
		m := &a.Members[i]
		for _, name := range s.Members[i].In {
			m.In, m.More = append(m.In, name), m.More-1
			if a.size() > room {
				m.In, m.More = m.In[:len(m.In)-1], m.More+1
				break
			}
		}
	}
	text, _ := json.Marshal(a) // of such values it cannot fail
	return text
}

func (a answer) size() int {
	text, _ := json.Marshal(a)
	return len(text)
}

func ruleOf(r agent.RuleStanding) ruleAnswer {
	out := ruleAnswer{Rule: r.Rule, State: string(r.State), Why: human.Clip(r.Why, maxWhy)}
	if !r.Since.IsZero() {
		out.Since = r.Since.Unix()
	}
	return out
}

// states are those that a rule may be in.
var states = []reconcile.State{
	reconcile.InSync, reconcile.Drifted, reconcile.Held, reconcile.Failed, reconcile.Owed, reconcile.Orphaned, reconcile.Pending, agent.NotInForce,
}

// decode reads what a node says, which may be anything. Fields that it does
// not know it passes over, for a later muster may say more.
func decode(text []byte) (answer, error) {
	var a answer
	if len(text) > maxAnswer {
		return answer{}, fmt.Errorf("it takes %d bytes of %d", len(text), maxAnswer)
	}
	if json.Unmarshal(text, &a) != nil {
		return answer{}, errors.New("it is not the JSON of one") // what it is, is for nobody's log
	}
	if a.Version != version {
		return answer{}, fmt.Errorf("it is of version %d, and this muster knows version %d", a.Version, version)
	}
	if a.Counts == nil || a.More < 0 {
		return answer{}, errors.New("it does not say how many rules there are")
	}
	for _, n := range a.Counts {
		if n < 0 || n > maxRules {
			return answer{}, fmt.Errorf("%d rules are no number of rules", n)
		}
	}
	for _, m := range a.Members {
		if m.Status != "" && !cluster.Status(m.Status).Valid() || m.Lagging < len(m.Lags) || m.More < 0 {
			return answer{}, errors.New("what it says of a member cannot be")
		}
	}
	return a, nil
}

// maxRules is more than any node has.
const maxRules = 1 << 20

func (r ruleAnswer) rule() Rule {
	out := Rule{Rule: r.Rule, State: r.State, Why: r.Why}
	if r.Since > 0 && r.Since < maxTime {
		out.Since = time.Unix(r.Since, 0)
	}
	return out
}

// maxTime is the year 9999, the last that JSON can tell.
const maxTime = 253402300800
