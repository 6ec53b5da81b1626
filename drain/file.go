package drain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"muster/statedir"
)

// fileName is the file in the state directory.
const fileName = "drain.json"

const maxFile = 256 << 10 // bytes

// A content is what stands in the file. Times are in milliseconds since 1970.
type content struct {
	Version  int   `json:"version"`
	Draining bool  `json:"draining"`
	Since    int64 `json:"since,omitempty"`
	// Signers are the times of the latest request of each key that was obeyed:
	// an older one is a copy.
	Signers map[string]int64 `json:"signers,omitempty"`
}

var errBroken = errors.New("the file is broken")

// read reads the file; where there is none the node does not drain.
func read(path string) (c content, err error) {
	text, err := statedir.Read(path, maxFile+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return content{}, nil
	case err != nil:
		return content{}, err
	case len(text) > maxFile:
		return content{}, fmt.Errorf("%w: it has more than %d bytes", errBroken, maxFile)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return content{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	if c.Version != version {
		return content{}, fmt.Errorf("%w: it is of version %d", errBroken, c.Version)
	}
	return c, nil
}

// write replaces the file as a whole; after a crash it is the old or the new.
func (c content) write(path string) error {
	c.Version = version
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return statedir.Replace(path, append(text, '\n'))
}
