package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A module is one that is linked into the binary.
type module struct {
	Path, Version string
	Licence       string // SPDX identifiers, joined by " AND "
	Texts         []string
}

// targets are the platforms that muster is built for; each may link others.
var targets = []string{"amd64", "arm64", "arm"}

// linked lists the modules of others whose packages are linked into the
// program, Go's standard library first, then sorted by path.
func linked(program string) ([]module, error) {
	files := map[[2]string]map[string]bool{} // by module path and version
	for _, arch := range targets {
		if err := list(arch, program, files); err != nil {
			return nil, err
		}
	}
	std, err := read("Go's runtime and standard library", "", []string{filepath.Join(goroot(), "LICENSE")})
	if err != nil {
		return nil, err
	}
	modules := []module{std}
	for _, key := range slices.SortedFunc(maps.Keys(files), func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) }) {
		m, err := read(key[0], key[1], slices.Sorted(maps.Keys(files[key])))
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	return modules, nil
}

// list adds the licence files of what program links on linux/arch to files.
func list(arch, program string, files map[[2]string]map[string]bool) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", program)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("cannot list what %s links: %w: %s", program, err, complaint.String())
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || p.Module.Main {
			continue // the standard library, or ourselves
		}
		key := [2]string{p.Module.Path, p.Module.Version}
		if files[key] == nil {
			files[key] = map[string]bool{}
		}
		// A package may carry a licence of its own between it and the module's root.
		for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
			found, err := licenceFiles(dir)
			if err != nil {
				return err
			}
			for _, f := range found {
				files[key][f] = true
			}
		}
	}
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)([.-][a-z0-9.-]+)?$`)

func licenceFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if e.Type().IsRegular() && licenceName.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

func read(path, version string, files []string) (module, error) {
	m := module{Path: path, Version: version}
	var ids []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return m, err
		}
		m.Texts = append(m.Texts, tidy(string(text)))
		ids = append(ids, identify(string(text))...)
	}
	slices.Sort(ids)
	m.Licence = strings.Join(slices.Compact(ids), " AND ")
	if m.Licence == "" {
		return m, fmt.Errorf("%s %s: no licence known in %v", path, version, files)
	}
	return m, nil
}

// marks are words that only this licence's text has.
var marks = []struct{ id, words string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"MPL-2.0", "Mozilla Public License"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
	{"BSD-3-Clause", "endorse or promote products derived from this software"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

// identify returns the SPDX identifiers of the licences whose text this holds.
func identify(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var ids []string
	for _, m := range marks {
		if strings.Contains(text, m.words) && !(m.id == "BSD-2-Clause" && slices.Contains(ids, "BSD-3-Clause")) {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// tidy drops what would make equal texts differ: line ends and outer blank lines.
func tidy(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func goroot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
