package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"muster/statedir"
)

// version is that of files and messages.
const version = 1

const maxFile = 256 << 10 // bytes

// A record is what stands in the file: one object with the version, the fields
// of the content, and the signers.
type record[C any] struct {
	given   bool // there is a file
	content C
	signers map[string]int64
}

type versioned struct {
	Version int `json:"version"`
}

// signers are the times, in milliseconds since 1970, of the latest request of
// each key that was obeyed: an older one is a copy.
type signers struct {
	Signers map[string]int64 `json:"signers,omitempty"`
}

var errBroken = errors.New("the file is broken")

func read[C any](path string) (record[C], error) {
	text, err := statedir.Read(path, maxFile+1)
	if errors.Is(err, fs.ErrNotExist) {
		return record[C]{}, nil
	} else if err != nil {
		return record[C]{}, err
	}
	r, err := parse[C](text)
	if err != nil {
		return record[C]{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	return r, nil
}

func parse[C any](text []byte) (r record[C], err error) {
	if len(text) > maxFile {
		return r, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	var head struct {
		versioned
		signers
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return r, err
	}
	if head.Version != version {
		return r, fmt.Errorf("it is of version %d", head.Version)
	}
	r.given, r.signers = true, head.Signers
	return r, json.Unmarshal(text, &r.content)
}

// write replaces the file as a whole; after a crash it is the old or the new.
func (r record[C]) write(path string) error {
	text, err := object(versioned{version}, r.content, signers{r.signers})
	if err == nil {
		text, err = json.MarshalIndent(json.RawMessage(text), "", "  ")
	}
	if err != nil {
		return err
	}
	return statedir.Replace(path, append(text, '\n'))
}

// object returns one JSON object with the fields of several, which have no name
// in common.
func object(parts ...any) ([]byte, error) {
	var fields [][]byte
	for _, p := range parts {
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if len(text) > len("{}") {
			fields = append(fields, text[1:len(text)-1])
		}
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(fields, []byte(","))), nil
}
