package cluster

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// tagMagic marks a node's meta data as Serf's tags: a msgpack map from string
// to string. Anything else is the bare role of Serf's protocol 2.
const tagMagic = 255

// TagSpace is how many bytes a node's tags may take when gossiped.
const TagSpace = memberlist.MetaMaxSize

// TagSize returns how many of the 512 bytes tags take when gossiped.
func TagSize(tags map[string]string) int {
	var buf bytes.Buffer
	buf.WriteByte(tagMagic)
	// Encoding strings into memory has no way to fail.
	_ = codec.NewEncoder(&buf, &codec.MsgpackHandle{}).Encode(tags)
	return buf.Len()
}

// checkTags reports tags that cannot be gossiped.
func checkTags(tags map[string]string) error {
	if _, ok := tags[""]; ok {
		return errors.New("a tag has no name")
	}
	if n := TagSize(tags); n > memberlist.MetaMaxSize {
		return fmt.Errorf("encoded they take %d bytes of %d; shorten or drop some", n, memberlist.MetaMaxSize)
	}
	return nil
}

// errMeta is what checkMeta finds in meta data that Serf cannot decode.
var errMeta = errors.New("tags cannot be decoded")

// checkMeta reports meta data that Serf's decoder would stumble over, without
// decoding it: https://github.com/msgpack/msgpack/blob/master/spec.md.
func checkMeta(meta []byte) error {
	if len(meta) > memberlist.MetaMaxSize {
		return fmt.Errorf("tags take %d bytes of %d", len(meta), memberlist.MetaMaxSize)
	}
	if len(meta) == 0 || meta[0] != tagMagic {
		return nil
	}
	r := metaReader(meta[1:])
	n, ok := r.mapLen()
	for range 2 * n {
		if !ok {
			break
		}
		ok = r.skipString()
	}
	if !ok {
		return errMeta
	}
	return nil
}

// A metaReader is the part of some msgpack that is not read yet.
type metaReader []byte

// next takes n bytes off r.
func (r *metaReader) next(n int) ([]byte, bool) {
	if n < 0 || n > len(*r) {
		return nil, false
	}
	b := (*r)[:n]
	*r = (*r)[n:]
	return b, true
}

// size reads a big-endian length of n bytes.
func (r *metaReader) size(n int) (int, bool) {
	b, ok := r.next(n)
	if !ok {
		return 0, false
	}
	var wide [8]byte
	copy(wide[8-n:], b)
	v := binary.BigEndian.Uint64(wide[:])
	return int(v), v <= memberlist.MetaMaxSize
}

func (r *metaReader) mapLen() (int, bool) {
	b, ok := r.next(1)
	if !ok {
		return 0, false
	}
	switch c := b[0]; {
	case c == 0xc0: // nil
		return 0, true
	case c>>4 == 0x8: // fixmap
		return int(c & 0xf), true
	case c == 0xde: // map 16
		return r.size(2)
	case c == 0xdf: // map 32
		return r.size(4)
	}
	return 0, false
}

func (r *metaReader) skipString() bool {
	b, ok := r.next(1)
	if !ok {
		return false
	}
	n := 0
	switch c := b[0]; {
	case c>>5 == 0x5: // fixstr
		n = int(c & 0x1f)
	case c == 0xd9 || c == 0xc4: // str 8, bin 8
		n, ok = r.size(1)
	case c == 0xda || c == 0xc5: // str 16, bin 16
		n, ok = r.size(2)
	default:
		return false
	}
	if ok {
		_, ok = r.next(n)
	}
	return ok
}

// StartTags returns the tags that a node of c starts with: those of the tags
// file over those of the configuration.
func (c Config) StartTags() (map[string]string, error) { return c.startTags() }

// NodeName returns the name of a node of c.
func (c Config) NodeName() string { return c.withDefaults().Name }

// startTags returns the tags to start with: those of the tags file over those
// of the configuration.
func (c Config) startTags() (map[string]string, error) {
	tags := maps.Clone(c.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if c.TagsFile != "" {
		kept, err := readTags(c.TagsFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(tags, kept)
	}
	if err := checkTags(tags); err != nil {
		return nil, fmt.Errorf("cannot use tags: %w", err)
	}
	return tags, nil
}

// readTags reads a tags file, a JSON object of strings.
func readTags(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read tags_file: %w", err)
	}
	var tags map[string]string
	if err := json.Unmarshal(data, &tags); err != nil {
		return nil, fmt.Errorf("cannot read tags_file %s: %w; repair or remove it", path, err)
	}
	return tags, nil
}

// writeTags replaces a tags file as a whole: a reader sees the old or the new.
func writeTags(path string, tags map[string]string) error {
	data, err := json.MarshalIndent(tags, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'), 0o600)
}

// unlike returns the entries of tags that base lacks or has otherwise.
func unlike(tags, base map[string]string) map[string]string {
	own := map[string]string{}
	for k, v := range tags {
		if b, ok := base[k]; !ok || b != v {
			own[k] = strings.Clone(v)
		}
	}
	return own
}
