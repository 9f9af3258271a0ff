package lambdatest

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// stopGrace is the time between SIGTERM and SIGKILL (AWS Lambda: execution environment
	// lifecycle, shutdown phase).
	stopGrace = 2 * time.Second

	// maxFreeze is how long Freeze waits for the process to stop, which may take seconds on a busy
	// machine.
	maxFreeze = 2 * time.Minute
)

// Freeze stops every thread of the process, as Lambda does between invocations, and returns when
// they have stopped. It first waits until the function has polled for the next invocation after
// each of its answers, because only then an invocation is over. Running invocations and an
// unfinished init are frozen as they are. The error is an [*ExitError] if the process has ended.
func (f *Function) Freeze() error {
	if err := f.until(f.settled, "asked for its next invocation"); err != nil {
		return err
	}
	if err := f.signalLive(syscall.SIGSTOP); err != nil {
		return err
	}
	return f.until(func() bool { return stopped(f.PID()) }, "stopped")
}

// settled reports whether a poll followed every answer.
func (f *Function) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.polls == 0 || f.polls >= f.options.MaxConcurrency+f.answers
}

func (f *Function) until(done func() bool, what string) error {
	for deadline := time.Now().Add(maxFreeze); !done(); {
		select {
		case <-f.exited:
			return f.exit
		case <-time.After(100 * time.Microsecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d has not %s within %v", f.PID(), what, maxFreeze)
		}
	}
	return nil
}

// Thaw lets a frozen process continue, and does nothing to a running one. The error is an
// [*ExitError] if the process has ended.
func (f *Function) Thaw() error {
	return f.signalLive(syscall.SIGCONT)
}

// Stop ends the process, frozen or not, with SIGTERM and two seconds later SIGKILL. It returns when
// the process has ended, with what it used in all. It may be called again.
func (f *Function) Stop() Usage {
	f.end("stopped", syscall.SIGTERM)
	f.signal(syscall.SIGCONT)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-f.exited:
	case <-grace.C:
		f.kill("stopped")
		<-f.exited
	}
	return f.usage
}

func (f *Function) kill(reason string) error { return f.end(reason, syscall.SIGKILL) }

// end measures the process, as long as that is possible, and signals it.
func (f *Function) end(reason string, signal syscall.Signal) error {
	f.Usage()
	f.mu.Lock()
	if f.reason == "" {
		f.reason = reason
	}
	f.mu.Unlock()
	return f.signal(signal)
}

// signal signals the process group. It must not wait for the end of the process, which waits for
// kill if the context ends.
func (f *Function) signal(signal syscall.Signal) error {
	select {
	case <-f.exited:
		return f.exit
	default:
		return signalGroup(f.PID(), signal)
	}
}

// signalLive is signal, but returns why the process ended if it has.
func (f *Function) signalLive(signal syscall.Signal) error {
	err := f.signal(signal)
	if err == syscall.ESRCH {
		<-f.exited
		return f.exit
	}
	return err
}
