//go:build !linux

package doctor

import (
	"math"

	"golang.org/x/sys/unix"
)

// What these systems do not tell as Linux does is not looked at.

func processAt(string) process { return process{} }

func accessible(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }

func space(string) (free uint64, readOnly bool, err error) { return math.MaxUint64, false, nil }

func synchronised() (yes, known bool) { return false, false }
