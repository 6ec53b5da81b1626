// Package load says how busy this machine is: its processors, load averages
// and memory, as plain values, in the form in which one node tells another,
// and as one figure to compare nodes by.
//
// It leaves to others who asks, who is asked, and what an answer is worth.
package load

import (
	"errors"
	"fmt"
	"math"
)

// A Load is how busy a machine is.
type Load struct {
	// CPUs is how many processors are online.
	CPUs int `json:"cpus"`
	// Load1, Load5 and Load15 are the averages, over so many minutes, of how
	// many tasks run or wait to, for a processor or for a disk: of the whole
	// machine, not per processor.
	Load1  float64 `json:"load1"`
	Load5  float64 `json:"load5"`
	Load15 float64 `json:"load15"`
	// MemTotal and MemFree are bytes. Free is what programs could get without
	// swapping, with the caches that the kernel would give up: MemAvailable.
	MemTotal uint64 `json:"mem_total"`
	MemFree  uint64 `json:"mem_free"`
}

// What no machine exceeds; an answer that does is refused.
const (
	maxCPUs   = 1 << 16
	maxLoad   = 1e6
	maxMemory = 1 << 60 // bytes
)

// Check reports why l cannot be a machine's.
func (l Load) Check() error {
	switch {
	case l.CPUs < 1 || l.CPUs > maxCPUs:
		return fmt.Errorf("%d processors", l.CPUs)
	case l.MemTotal == 0 || l.MemTotal > maxMemory:
		return fmt.Errorf("%d bytes of memory", l.MemTotal)
	case l.MemFree > l.MemTotal:
		return errors.New("more memory is free than there is")
	}
	for _, average := range []float64{l.Load1, l.Load5, l.Load15} {
		if !(average >= 0 && average <= maxLoad) { // also what is no number
			return fmt.Errorf("a load average of %g", average)
		}
	}
	return nil
}

// UsedMemory is which part of the memory is in use, from 0 to 1; 0 where the
// memory is not known.
func (l Load) UsedMemory() float64 {
	if l.MemTotal == 0 || l.MemFree > l.MemTotal {
		return 0
	}
	return float64(l.MemTotal-l.MemFree) / float64(l.MemTotal)
}

// Rate is one figure for how busy a machine is, to compare nodes by; less is
// less busy:
//
//	(3·load15 + 2·load5 + load1 + 4·usedMem) / 4
//
// with the load averages per processor and usedMem as UsedMemory has it (the
// formula of row P7 of the project's acceptance list, "least busy nodes"). An
// idle machine whose memory is half used has 0.5; one that has had exactly one
// task per processor for a quarter of an hour and half its memory used, 2.
func (l Load) Rate() float64 {
	cpus := float64(max(l.CPUs, 1))
	rate := (3*l.Load15/cpus + 2*l.Load5/cpus + l.Load1/cpus + 4*l.UsedMemory()) / 4
	if math.IsNaN(rate) {
		return math.MaxFloat64 // of values that Check refuses: the busiest
	}
	return rate
}
