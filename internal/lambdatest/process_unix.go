//go:build unix

package lambdatest

import (
	"os"
	"runtime"
	"syscall"
)

const (
	sigTerm = syscall.SIGTERM
	sigKill = syscall.SIGKILL
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// signalGroup reaches the process and whatever it started: it leads a process
// group of its own.
func signalGroup(pid int, signal syscall.Signal) error {
	return syscall.Kill(-pid, signal)
}

// readNow reads from a non-blocking descriptor; again means that nothing is
// there at the moment.
func readNow(fd uintptr, b []byte) (n int, again bool) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true
		}
		return n, false
	}
}

// exitPeak is the peak memory by the kernel's accounting at exit, or 0 where
// that cannot be trusted: Linux starts a child's count at its parent's size.
func exitPeak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	switch {
	case !ok || runtime.GOOS == "linux":
		return 0
	case runtime.GOOS == "darwin":
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
