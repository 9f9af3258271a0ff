//go:build unix && !linux

package lambdatest

import (
	"errors"
	"syscall"
)

// processAttributes make the process a group leader, so that all of it can be
// signalled. Only Linux can also tie its life to this process's.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func stopped(int) bool { return true }

func liveUsage(int) (Usage, error) {
	return Usage{}, errors.ErrUnsupported
}
