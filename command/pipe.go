package command

import (
	"fmt"
	"os"
	"os/exec"
)

// pipes are what a program writes to: one for all, or the first for the
// standard output and the second for the standard error.
type pipes struct{ readers, writers []*os.File }

// connect gives cmd its output.
func (c Command) connect(cmd *exec.Cmd, who identity) (pipes, error) {
	var p pipes
	n := 1
	if c.KeepStdout > 0 {
		n = 2
	}
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			p.closeReaders()
			p.closeWriters()
			return pipes{}, fmt.Errorf("cannot open a pipe: %w", err)
		}
		p.readers, p.writers = append(p.readers, r), append(p.writers, w)
		if who.credential != nil { // so that the program may open /dev/stdout
			_ = w.Chown(int(who.credential.Uid), int(who.credential.Gid))
		}
	}
	cmd.Stdout, cmd.Stderr = p.writers[0], p.writers[n-1]
	return p, nil
}

func (p pipes) closeReaders() {
	for _, f := range p.readers {
		f.Close()
	}
}

func (p pipes) closeWriters() {
	for _, f := range p.writers {
		f.Close()
	}
}
