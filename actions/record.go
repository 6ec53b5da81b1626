package actions

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
	"unicode/utf8"

	"muster/cluster"
)

// The kinds of records in the ledger.
const (
	recAccept = "accept" // a user event is to make a rule act
	recClaim  = "claim"  // it may be begun from now on; on disk before any of it is
	recStart  = "start"  // it is begun now
	recDone   = "done"   // it has ended, or is not going to be begun
	recClock  = "clock"  // a user event was heard that makes nobody act
	recNonce  = "nonce"  // a signed envelope was used
	recBoot   = "boot"   // the agent started, and what the machine calls its boot
)

// A record is one line of the ledger. Times are in milliseconds since 1970.
type record struct {
	Kind string   `json:"k"`
	ID   uint64   `json:"id,omitempty"`
	IDs  []uint64 `json:"ids,omitempty"` // a claim's
	At   int64    `json:"at,omitempty"`

	Rule    string `json:"rule,omitempty"` // an accept's
	Name    string `json:"name,omitempty"`
	RawName []byte `json:"raw,omitempty"`  // instead of Name, where that is no UTF-8
	LTime   uint64 `json:"lt,omitempty"`   // also a clock's
	Sum     string `json:"sum,omitempty"`  // of the payload as it came; hex
	Payload []byte `json:"data,omitempty"` // as rules see it; base64
	Signer  string `json:"signer,omitempty"`

	State   string `json:"st,omitempty"` // an accept's that a compaction wrote
	Verdict string `json:"v,omitempty"`  // a done's, in a word

	Nonce string `json:"nonce,omitempty"`
	Boot  string `json:"boot,omitempty"`
}

// Verdicts of what has ended.
const (
	verdictOK     = "ok"
	verdictFailed = "failed"
	verdictCutOff = "cut off"
	verdictGone   = "the rule is gone"
)

// The states of an entry.
const (
	accepted = iota
	claimed  // as accepted, but a power cut makes it started
	started
	done
)

var stateNames = []string{"", "claimed", "started", "done"}

// sumSize is enough of a SHA-256 to tell payloads apart.
const sumSize = 16

// A key tells one occasion from all others.
type key struct {
	rule, name string
	ltime      uint64
	sum        [sumSize]byte
}

func keyOf(rule string, e cluster.Event) key {
	sum := sha256.Sum256(e.Payload)
	return key{rule, e.Name, e.LTime, [sumSize]byte(sum[:])}
}

// An entry is what the ledger knows of one occasion.
type entry struct {
	key
	id      uint64
	at      time.Time
	payload []byte // until it is done
	signer  string
	state   int
	verdict string // of one that is done
}

// event returns the event as the rule sees it.
func (e *entry) event() cluster.Event {
	return cluster.Event{Type: cluster.EventUser, Name: e.name, LTime: e.ltime, Payload: e.payload}
}

func (e *entry) record() record {
	r := record{Kind: recAccept, ID: e.id, At: e.at.UnixMilli(), Rule: e.rule, Name: e.name, LTime: e.ltime,
		Sum: hex.EncodeToString(e.sum[:]), Payload: e.payload, Signer: e.signer, State: stateNames[e.state], Verdict: e.verdict}
	if !utf8.ValidString(e.name) {
		r.Name, r.RawName = "", []byte(e.name)
	}
	return r
}

// entry is the reverse of entry.record.
func (r record) entry() (*entry, error) {
	sum, err := hex.DecodeString(r.Sum)
	if err != nil || len(sum) != sumSize || r.ID == 0 || r.Rule == "" {
		return nil, errors.New("this is no occasion")
	}
	if len(r.RawName) > 0 {
		r.Name = string(r.RawName)
	}
	e := &entry{key: key{r.Rule, r.Name, r.LTime, [sumSize]byte(sum)}, id: r.ID, at: time.UnixMilli(r.At),
		payload: r.Payload, signer: r.Signer, state: -1, verdict: r.Verdict}
	for i, name := range stateNames {
		if name == r.State {
			e.state = i
		}
	}
	if e.state < 0 {
		return nil, fmt.Errorf("unknown state %q", r.State)
	}
	return e, nil
}

// A line is the CRC-32C (RFC 3720, appendix B.4) of a record's JSON in eight
// hexadecimal digits, a space, and the JSON.

const sumDigits = 8

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// encode appends r as a line.
func (r record) encode(to []byte) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a record has nothing that cannot be encoded
	}
	return append(fmt.Appendf(to, "%08x %s", checksum(text), text), '\n')
}

// decode reads a line, without its end.
func decode(line []byte) (record, error) {
	var r record
	if len(line) <= sumDigits || line[sumDigits] != ' ' {
		return r, errors.New("this is no record")
	}
	text := line[sumDigits+1:]
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	if err != nil || uint32(sum) != checksum(text) {
		return r, errors.New("the checksum does not fit")
	}
	in := json.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&r); err != nil {
		return r, errors.New("the checksum fits, but this is no record")
	}
	return r, nil
}
