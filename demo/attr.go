//go:build linux || freebsd

package demo

import "syscall"

// endingWithUs has the kernel send a child the signal when the thread that
// started it ends.
func endingWithUs(sig syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: sig}
}
