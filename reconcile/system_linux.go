package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// openAsPath opens a directory to go on from there; it need not be readable.
	openAsPath     = unix.O_PATH
	errNoAttribute = unix.ENODATA
	acl            = "system.posix_acl_access"
)

// rootOf opens as a Root the directory that fd is; dir is how it was reached.
func rootOf(fd int, _ string) (*os.Root, error) {
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", fd))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("/proc is not mounted")
	}
	return root, err
}

// isMount reports whether name in p is a mount point, as a file is that was
// bind-mounted into a container: nothing can be renamed over it.
func (p place) isMount(name string) bool {
	d, err := p.Open(".")
	if err != nil {
		return false
	}
	defer d.Close()
	var st unix.Statx_t
	err = unix.Statx(int(d.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// renameNew renames a file to a name that nobody has yet, where the file
// system can promise that.
func (p place) renameNew(from, to string) error {
	d, err := p.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	fd := int(d.Fd())
	err = unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return p.Rename(from, to)
	}
	return err
}

// childrenOf returns the children of a process; fs.ErrNotExist if it is gone.
//
// The process itself lists them, where the kernel was built for that, and also
// those that are hidden from us, as a unit with ProtectProc= has it. See
// proc_pid_task(5): the list may lack some while others end. So both are asked.
func childrenOf(master int) (map[int]bool, error) {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", master)); err != nil {
		return nil, fs.ErrNotExist
	}
	children := map[int]bool{}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", master))
	for _, list := range lists {
		text, _ := os.ReadFile(list) // of a thread that has ended: nothing
		for word := range bytes.FieldsSeq(text) {
			if pid, err := strconv.Atoi(string(word)); err == nil {
				children[pid] = true
			}
		}
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, cause(err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, cause(err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err == nil && parentOf(pid) == master {
			children[pid] = true
		}
	}
	return children, nil
}

// parentOf returns the parent of a process, 0 if it is gone. See proc(5): the
// fields of stat follow the last parenthesis.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if errors.Is(err, strconv.ErrSyntax) {
		return 0
	}
	return parent
}
