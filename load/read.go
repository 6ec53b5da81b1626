package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Read returns how busy this machine is, from the kernel's files below rootfs,
// which is "/" unless the machine's are mounted elsewhere for a container:
//
//	/proc/loadavg                   load averages (proc_loadavg(5))
//	/proc/meminfo                   MemTotal and MemAvailable (proc_meminfo(5))
//	/sys/devices/system/cpu/online  processors
//
// They are the machine's, all three, also inside a container or a cgroup with
// limits: the load averages know no containers, and figures of a part beside
// figures of the whole could not be compared. (Under lxcfs /proc itself is the
// container's.) A kernel before 3.14 has no MemAvailable; there it is free
// memory, buffers and page cache.
func Read(rootfs string) (Load, error) {
	l, err := read(os.DirFS(rootfs))
	if err != nil {
		return Load{}, fmt.Errorf("cannot read this machine's load: %w", err)
	}
	return l, nil
}

func read(root fs.FS) (Load, error) {
	var l Load
	for path, parse := range map[string]func([]byte, *Load) error{
		"proc/loadavg": parseLoadavg, "proc/meminfo": parseMeminfo, "sys/devices/system/cpu/online": parseOnline,
	} {
		text, err := readFile(root, path)
		if err != nil {
			return Load{}, err
		}
		if err := parse(text, &l); err != nil {
			return Load{}, fmt.Errorf("/%s: %w", path, err)
		}
	}
	return l, l.Check()
}

// maxFile is more than any of the files has.
const maxFile = 64 << 10

func readFile(root fs.FS, path string) ([]byte, error) {
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// parseLoadavg reads "0.52 0.58 0.59 1/389 4023".
func parseLoadavg(text []byte, l *Load) error {
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return errors.New("there are no three averages")
	}
	for i, average := range []*float64{&l.Load1, &l.Load5, &l.Load15} {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return fmt.Errorf("%q is no average", fields[i])
		}
		*average = value
	}
	return nil
}

// parseMeminfo reads lines like "MemTotal:       16316412 kB".
func parseMeminfo(text []byte, l *Load) error {
	kB := map[string]uint64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "MemTotal", "MemAvailable", "MemFree", "Buffers", "Cached":
			value, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 50)
			if err != nil {
				return fmt.Errorf("%s is no number of kB", name)
			}
			kB[name] = value
		}
	}
	free, known := kB["MemAvailable"]
	if !known {
		free = kB["MemFree"] + kB["Buffers"] + kB["Cached"]
	}
	l.MemTotal, l.MemFree = kB["MemTotal"]<<10, min(free, kB["MemTotal"])<<10
	return nil
}

// parseOnline counts a list like "0-3,8".
func parseOnline(text []byte, l *Load) error {
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || to < from {
			return fmt.Errorf("%q is no list of processors", part)
		}
		l.CPUs += int(to-from) + 1
	}
	return nil
}
