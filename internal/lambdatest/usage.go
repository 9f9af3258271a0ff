package lambdatest

import "time"

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
	// A process that is ending reports no memory.
	u, _ := liveUsage(f.PID())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peak = max(f.peak, u.PeakMemory)
	u.PeakMemory = f.peak
	return u
}
