package lambdatest

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// stopGrace is what Lambda leaves a function between SIGTERM and SIGKILL
	// (AWS Lambda: execution environment lifecycle, shutdown phase).
	stopGrace = 2 * time.Second

	// freezeWait ends the wait for a process that does not come to a halt. On a busy machine one
	// that does may take seconds.
	freezeWait = 2 * time.Minute
)

// Freeze stops every thread of the process, as Lambda does between
// invocations, and returns when they stand still. It waits first until the
// function has asked for more after each of its answers, because an invocation
// is over only then; one that is still running, and an unfinished init, are
// frozen where they are. The error is an [*ExitError] when there is no process
// any more.
func (f *Function) Freeze() error {
	if err := f.until(f.settled, "asked for its next invocation"); err != nil {
		return err
	}
	if err := f.signalLive(sigStop); err != nil {
		return err
	}
	return f.until(func() bool { return stopped(f.PID()) }, "come to a halt")
}

// settled reports whether every answer was followed by the next poll.
func (f *Function) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.polls == 0 || f.polls >= f.options.MaxConcurrency+f.answers
}

func (f *Function) until(done func() bool, what string) error {
	for deadline := time.Now().Add(freezeWait); !done(); {
		select {
		case <-f.exited:
			return f.exit
		case <-time.After(100 * time.Microsecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d has not %s within %v", f.PID(), what, freezeWait)
		}
	}
	return nil
}

// Thaw lets a frozen process go on; it does nothing to one that runs. The error
// is an [*ExitError] when there is no process any more.
func (f *Function) Thaw() error {
	return f.signalLive(sigCont)
}

// Stop ends the process, frozen or not: SIGTERM, and SIGKILL two seconds
// later. It returns when the process is gone, with what it used in its life,
// and may be called again.
func (f *Function) Stop() Usage {
	f.end("stopped", sigTerm)
	f.signal(sigCont)
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

func (f *Function) kill(reason string) error { return f.end(reason, sigKill) }

// end measures the process while it can still be measured, and signals it.
func (f *Function) end(reason string, signal syscall.Signal) error {
	f.Usage()
	f.mu.Lock()
	if f.reason == "" {
		f.reason = reason
	}
	f.mu.Unlock()
	return f.signal(signal)
}

// signal must not wait for the end of the process: that end waits for kill
// when the context ends.
func (f *Function) signal(signal syscall.Signal) error {
	select {
	case <-f.exited:
		return f.exit
	default:
		return signalGroup(f.PID(), signal)
	}
}

// signalLive is signal for callers that want to know why there is no process.
func (f *Function) signalLive(signal syscall.Signal) error {
	err := f.signal(signal)
	if err == syscall.ESRCH {
		<-f.exited
		return f.exit
	}
	return err
}
