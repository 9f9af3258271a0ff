package lambdatest

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// Usage is what the process of a function has used since its start.
type Usage struct {
	// PeakMemory is the largest resident size in bytes. On Linux it is measured while the process
	// runs, and so 0 for one that ended by itself before Usage or Stop was called. Elsewhere it is
	// known only after the end.
	PeakMemory int64

	// UserCPU and SystemCPU are the CPU time of all threads, in steps of 10 ms while the process
	// runs.
	UserCPU, SystemCPU time.Duration
}

// Usage returns what the process has used so far, and after its end what it used in all. Outside
// Linux it is zero while the process runs.
func (f *Function) Usage() Usage {
	select {
	case <-f.exited:
		return f.usage
	default:
	}
	u := liveUsage(f.PID())
	f.mu.Lock()
	defer f.mu.Unlock()
	// A process that is ending reports no memory.
	f.peak = max(f.peak, u.PeakMemory)
	u.PeakMemory = f.peak
	return u
}

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
