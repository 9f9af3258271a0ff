package lambdatest

import "time"

// Usage is what a function's process has used since its start.
type Usage struct {
	// PeakMemory is the largest resident size in bytes. On Linux it is read
	// while the process lives, so it is 0 for one that ended by itself before
	// Usage or Stop was called. Elsewhere it is known only after the end.
	PeakMemory int64

	// UserCPU and SystemCPU are the CPU time of all threads. While the process
	// runs they are counted in steps of 10 ms, afterwards exactly.
	UserCPU, SystemCPU time.Duration
}

// Usage returns what the process has used so far, or in its whole life once it
// has ended. Where a running process cannot be measured (outside Linux) it is
// zero.
func (f *Function) Usage() Usage {
	select {
	case <-f.exited:
		return f.usage
	default:
	}
	// A process that is ending has no memory left to report, so the largest
	// value seen counts.
	u, _ := liveUsage(f.PID())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peak = max(f.peak, u.PeakMemory)
	u.PeakMemory = f.peak
	return u
}
