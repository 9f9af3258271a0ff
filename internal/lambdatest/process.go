package lambdatest

import (
	"os"
	"runtime"
	"syscall"
)

// signalGroup signals the process and all that it started: it leads a process group of its own.
func signalGroup(pid int, signal syscall.Signal) error {
	return syscall.Kill(-pid, signal)
}

// readNow reads from a non-blocking descriptor; again means that there is nothing to read yet.
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

// exitPeak returns the peak memory in bytes that the kernel reports at exit. It returns 0 on Linux,
// where the count of a child begins with the size of its parent.
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
