//go:build !linux

package lambdatest

import "syscall"

// processAttributes make the process a group leader, so that all its children can be signalled.
// Only Linux can also end it with this process.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func stopped(int) bool { return true }

func liveUsage(int) Usage { return Usage{} }
