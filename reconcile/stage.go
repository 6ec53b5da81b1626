package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hidden matches the names that muster gives files it is about to swap in, or
// keeps for a rollback: a dot in front, so that no shell glob or include
// directory sees them, and an ending that no "*.conf" matches. The two numbers
// are the state directory's and the process's.
var hidden = regexp.MustCompile(`^\..+\.muster-([0-9a-f]{8})-([0-9a-f]{8})\.(new|old|tmp)$`)

func isHidden(name string) bool {
	return hidden.MatchString(name) && !strings.ContainsAny(name, "/\x00")
}

// hide makes the hidden name for name; kind is new, old or tmp.
func (r *Reconciler) hide(name, kind string) string {
	if len(name) > 180 { // a file's name has at most 255 bytes
		name = strings.ToValidUTF8(name[:163], "") + "-" + sumOf([]byte(name))[:16]
	}
	return "." + name + ".muster-" + r.owner + "-" + r.run + "." + kind
}

// unixMode turns Go's mode bits into those of chmod.
func unixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= unix.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		mode |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		mode |= unix.S_ISVTX
	}
	return mode
}

// write creates the file name in p with the bytes of in and the looks of like
// (nil: a new file's), but for what d says. Nobody else can read it before it
// belongs to its owner.
func (r *Reconciler) write(p place, name string, in io.Reader, like *os.File, d dress) error {
	if err := r.step("create", name); err != nil {
		return err
	}
	f, err := p.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.step("write", name); err != nil {
		return err
	}
	if _, err := io.Copy(f, in); err != nil {
		return err
	}
	if err := r.step("dress", name); err != nil {
		return err
	}
	if err := d.put(f, like); err != nil {
		return err
	}
	if err := r.step("sync", name); err != nil {
		return err
	}
	return f.Sync()
}

// put gives f the owner, attributes and mode of like, or those of a new file,
// but for what d says.
func (d dress) put(f, like *os.File) error {
	var own, old unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &own); err != nil {
		return err
	}
	uid, gid, mode := own.Uid, own.Gid, uint32(0o644)
	if like != nil {
		if err := unix.Fstat(int(like.Fd()), &old); err != nil {
			return err
		}
		uid, gid, mode = old.Uid, old.Gid, uint32(old.Mode)&0o7777
	}
	if d.uid != nil {
		uid = *d.uid
	}
	if d.gid != nil {
		gid = *d.gid
	}
	if d.mode != nil {
		mode = *d.mode
	}
	if uid != own.Uid || gid != own.Gid {
		if err := f.Chown(int(uid), int(gid)); err != nil {
			return fmt.Errorf("owner %d:%d cannot be set, only root may: name this process's user and group in the rule, or run as root (%v)", uid, gid, cause(err))
		}
	}
	if like != nil {
		if err := copyAttributes(f, like); err != nil {
			return err
		}
	}
	return unix.Fchmod(int(f.Fd()), mode)
}

// copyAttributes gives f the extended attributes of like, ACL included. Those
// that the system sets by its own rules (security.*, trusted.*) are copied where
// that is allowed, but for those that vouch for the old bytes.
func copyAttributes(f, like *os.File) error {
	names, err := attributes(like)
	if err != nil {
		return err
	}
	from, to := int(like.Fd()), int(f.Fd())
	hasACL := acl == ""
	for _, name := range names {
		switch name {
		case "security.capability", "security.ima", "security.evm":
			continue
		}
		value := make([]byte, 64<<10) // the kernel's limit
		n, err := unix.Fgetxattr(from, name, value)
		if err == nil {
			err = unix.Fsetxattr(to, name, value[:n], 0)
		}
		system := strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted.")
		if err != nil && !system {
			return fmt.Errorf("attribute %s cannot be kept: %w", name, err)
		}
		hasACL = hasACL || name == acl
	}
	if !hasACL { // nor shall the directory's default one apply
		err := unix.Fremovexattr(to, acl)
		if err != nil && !errors.Is(err, errNoAttribute) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("the directory's default ACL cannot be removed: %w", err)
		}
	}
	return nil
}

func attributes(f *os.File) ([]string, error) {
	for {
		size, err := unix.Flistxattr(int(f.Fd()), nil)
		if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("extended attributes cannot be listed: %w", err)
		}
		buf := make([]byte, size)
		n, err := unix.Flistxattr(int(f.Fd()), buf)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("extended attributes cannot be listed: %w", err)
		}
		return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00"), nil
	}
}

// openRegular opens the regular file name in p for reading; flag adds to that.
func (p place) openRegular(name string, flag int) (*os.File, error) {
	info, err := p.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no longer a file")
	}
	f, err := p.OpenFile(name, flag|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err != nil || !os.SameFile(info, opened) {
		f.Close()
		return nil, errors.Join(errors.New("it was replaced just now"), err)
	}
	return f, nil
}

// stage writes the new file of it beside the old one.
func (r *Reconciler) stage(p place, it *item) error {
	var like *os.File
	d := it.dress
	if it.seen.exists {
		old, err := p.openRegular(it.Name, os.O_RDONLY)
		if err != nil {
			return writeError(it.Path, err)
		}
		defer old.Close()
		like = old
		if plain := it.seen.mode &^ (unix.S_ISUID | unix.S_ISGID); d.mode == nil && plain != it.seen.mode {
			d.mode = &plain // as the kernel does when a file is written to
		}
	}
	err := r.write(p, it.Stage, bytes.NewReader(it.bytes), like, d)
	if err == nil {
		it.staged, err = p.idOf(it.Stage)
	}
	if err != nil {
		return writeError(it.Path, err)
	}
	return nil
}

// writeError says what went wrong when path was to be written, and what helps.
func writeError(path string, err error) error {
	err = cause(err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("cannot write %s: the disk is full: %w", path, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot write %s: it is mounted read-only: remount it, or name it in the service's ReadWritePaths=: %w", path, err)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("cannot write %s: user %d may not: %w", path, os.Geteuid(), err)
	}
	return fmt.Errorf("cannot write %s: %w", path, err)
}
