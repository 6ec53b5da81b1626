package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"muster/metadata"
)

// DefaultDir is the directory of playbooks.
const DefaultDir = "/etc/muster/playbooks"

// The playbook that puts a service somewhere is called NAME.yml, and the one
// that takes it away NAME.remove.yml.
const ending, removing = ".yml", ".remove"

// CheckName reports why a service cannot be launched under a name.
func CheckName(service string) error {
	if err := metadata.CheckName(service); err != nil {
		return err
	}
	if strings.HasSuffix(service, removing) {
		return fmt.Errorf("%q is no service's name: %s%s is the playbook that takes %s away", service, service, ending, strings.TrimSuffix(service, removing))
	}
	return nil
}

// Services are those that have a playbook in dir for an order that removes, or
// does not, sorted.
func Services(dir string, remove bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ending)
		stem, removes := strings.CutSuffix(name, removing)
		if ok && removes == remove && CheckName(stem) == nil {
			names = append(names, stem)
		}
	}
	slices.Sort(names)
	return names, nil
}

// A Playbook is the file for an order. Until it is closed nobody else on this
// machine has it.
type Playbook struct {
	Path string // absolute
	file *os.File
}

// Open finds the playbook for an order in dir, and takes it.
func Open(dir string, o Order) (*Playbook, error) {
	if err := CheckName(o.Service); err != nil {
		return nil, err
	}
	name := o.Service + ending
	if o.Remove {
		name = o.Service + removing + ending
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot %s %s: there is no playbook %s; %s", o.verb(), o.Service, path, others(dir, o.Remove))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot %s %s: %w", o.verb(), o.Service, err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &Playbook{Path: path, file: file}, nil
	}
	file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another muster launch of it is under way here; try again when it has ended")
	}
	return nil, fmt.Errorf("cannot %s %s: %w", o.verb(), o.Service, err)
}

// Close lets others have it.
func (p *Playbook) Close() { p.file.Close() }

// others says which playbooks there are.
func others(dir string, remove bool) string {
	names, err := Services(dir, remove)
	switch {
	case err != nil:
		return err.Error()
	case len(names) == 0:
		return "none is there; --playbooks names another directory"
	}
	return "there are those for " + strings.Join(names, ", ")
}
