package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"muster/statedir"
)

// fileName is the file in the state directory.
const fileName = "metadata.json"

const maxFile = 256 << 10 // bytes

// A content is what stands in the file.
type content struct {
	Version  int      `json:"version"`
	Services []string `json:"services"`
	// Signers are the times, in milliseconds since 1970, of the latest request
	// of each key that was obeyed: an older one is a copy.
	Signers map[string]int64 `json:"signers,omitempty"`
}

// read reads the file; there is none where exists is false.
func read(path string) (c content, exists bool, err error) {
	text, err := statedir.Read(path, maxFile+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return content{}, false, nil
	case err != nil:
		return content{}, false, err
	}
	if err := c.parse(text); err != nil {
		return content{}, false, fmt.Errorf("%w: %w", errBroken, err)
	}
	return c, true, nil
}

var errBroken = errors.New("the file is broken")

func (c *content) parse(text []byte) error {
	if len(text) > maxFile {
		return fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err := json.Unmarshal(text, c); err != nil {
		return err
	}
	if c.Version != version {
		return fmt.Errorf("it is of version %d", c.Version)
	}
	for _, name := range c.Services {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	slices.Sort(c.Services)
	c.Services = slices.Compact(c.Services)
	return check(c.Services)
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
