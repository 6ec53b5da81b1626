package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Workers verifies the reload of a service that a master process runs with
// workers, as nginx and haproxy do: within the time given, the master, whose
// process id stands in pidFile, must have a child that it did not have before.
// A master that does not like its new files keeps the workers that it has.
func Workers(pidFile string, within time.Duration) *Verify {
	return &Verify{
		Name:   "new workers of the process in " + pidFile,
		Within: within,
		Watch: func() func(context.Context) error {
			before, err := workersOf(pidFile)
			return func(ctx context.Context) error {
				if err != nil {
					return err
				}
				return awaitWorkers(ctx, pidFile, before, within)
			}
		},
	}
}

// awaitWorkers waits for a worker that is not one of before.
func awaitWorkers(ctx context.Context, pidFile string, before map[int]bool, within time.Duration) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		now, err := workersOf(pidFile)
		if err != nil {
			return err
		}
		for pid := range now {
			if !before[pid] {
				return nil
			}
		}
		select {
		case <-time.After(pause):
		case <-deadline.C:
			return fmt.Errorf("its workers are still those from before, %v after the reload: see its log for why", within)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// elsewhere is what to do where a service keeps its process id in another file
// than the rule says.
const elsewhere = "name the service's own pid file, as pid_file in the `with` of reload, or as workers in verify"

// workersOf returns the children of the process whose id stands in pidFile.
func workersOf(pidFile string) (map[int]bool, error) {
	text, err := readPIDFile(pidFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w: %s", pidFile, cause(err), elsewhere)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	master, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil || master <= 1 {
		return nil, fmt.Errorf("cannot read %s: it holds no process id: start the service, or %s", pidFile, elsewhere)
	}
	children, err := childrenOf(master)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("process %d of %s does not run: start the service, or %s", master, pidFile, elsewhere)
	}
	return children, err
}

// readPIDFile reads what may be a process id. The directory may be the
// service's user's: what stands there keeps nobody waiting, and is not big.
func readPIDFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is not a file"))
	}
	return io.ReadAll(io.LimitReader(f, 64))
}
