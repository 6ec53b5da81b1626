package actions

import (
	"fmt"
	"os"
	"path/filepath"

	"muster/statedir"
)

const lockName = "events.lock"

// lockDir makes the state directory where it is missing, and takes the ledger
// in it for this process until the file returned is closed or the process
// ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w; choose another with --state", err)
	}
	return statedir.Lock(filepath.Join(dir, lockName))
}
