package services

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"muster/services/bzip2"
)

// Bounds on a tag that others wrote. Tags have 512 bytes in all; these are for
// what a hostile one makes of them.
const (
	MaxTag      = 1 << 10  // bytes of the tag
	MaxJSON     = 16 << 10 // bytes of JSON in it
	MaxServices = 128      // in one tag
	maxDepth    = 8        // lists and objects inside one another
)

// Encode returns the tag for a list of services.
func Encode(list []Service) (string, error) {
	if len(list) > MaxServices {
		return "", fmt.Errorf("cannot make a tag of %d services: the limit is %d", len(list), MaxServices)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(list); err != nil {
		return "", fmt.Errorf("cannot make a tag of services: %w", err)
	}
	if text.Len() > MaxJSON {
		return "", fmt.Errorf("cannot make a tag of services: they take %d bytes of JSON: the limit is %d", text.Len(), MaxJSON)
	}
	packed, err := bzip2.Compress(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return base64.StdEncoding.EncodeToString(packed), err
}

// Decode returns the services in a tag, in its order; none for an empty one.
// Of a tag that breaks a bound it reads no more than that bound.
func Decode(tag string) ([]Service, error) {
	if tag == "" {
		return nil, nil
	}
	list, err := decode(tag)
	if err != nil {
		return nil, fmt.Errorf("cannot read the tag %s: %w", Tag, err)
	}
	return list, nil
}

func decode(tag string) ([]Service, error) {
	if len(tag) > MaxTag {
		return nil, fmt.Errorf("it has %d bytes: the limit is %d", len(tag), MaxTag)
	}
	packed, err := base64.StdEncoding.DecodeString(tag) // lines, too, as base64(1) makes them
	if err != nil {
		return nil, fmt.Errorf("it is not base64: %w", err)
	}
	text, err := bzip2.Decompress(packed, MaxJSON)
	if err != nil {
		return nil, err
	}
	if err := shallow(text); err != nil {
		return nil, err
	}
	var list []loose
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("it holds no list of services: %w", err)
	}
	if len(list) > MaxServices {
		return nil, fmt.Errorf("it has %d services: the limit is %d", len(list), MaxServices)
	}
	out := make([]Service, len(list))
	for i, l := range list {
		out[i] = Service{string(l.S), string(l.D), string(l.M), string(l.I), string(l.P), string(l.E), string(l.T)}
	}
	return out, nil
}

// shallow refuses JSON that is nested deep.
func shallow(text []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return fmt.Errorf("its JSON is nested more than %d deep", maxDepth)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}

// loose is a service as it is read: what is unknown is passed over.
type loose struct{ S, D, M, I, P, E, T word }

// A word is a string, or a number, as jq writes a port that was given as one.
type word string

func (w *word) UnmarshalJSON(text []byte) error {
	switch c := text[0]; {
	case c == '"':
		return json.Unmarshal(text, (*string)(w))
	case c == '-' || c >= '0' && c <= '9':
		*w = word(text)
		return nil
	case c == 'n':
		*w = ""
		return nil
	}
	return errors.New("a service's values are strings or numbers")
}
