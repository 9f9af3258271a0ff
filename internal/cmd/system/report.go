package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// report prints a line for each step and counts them. It is used by one goroutine.
type report struct {
	out            io.Writer
	begin          time.Time
	passed, failed int
	ended          bool // steps are not begun any more
}

// step does something and prints what came of it. It reports whether it passed. Once the context has
// ended, no step is begun, which is one failure.
func (r *report) step(ctx context.Context, name string, do func(context.Context) error) bool {
	if r.ended {
		return false
	}
	begin := time.Now()
	err := context.Cause(ctx)
	if err == nil {
		err = do(ctx)
	} else {
		r.ended = true
	}
	took := time.Since(begin).Seconds()
	if err != nil {
		r.failed++
		fmt.Fprintf(r.out, "FAIL  %5.1f s  %s\n      %v\n", took, name, err)
		return false
	}
	r.passed++
	fmt.Fprintf(r.out, "ok    %5.1f s  %s\n", took, name)
	return true
}

// close prints the sum and returns the exit status.
func (r *report) close() int {
	fmt.Fprintf(r.out, "took %.0f s\n%d passed, %d failed\n", time.Since(r.begin).Seconds(), r.passed, r.failed)
	if r.failed > 0 {
		return exitFailed
	}
	return exitPassed
}

// mismatch is an error that says what came and what was expected.
func mismatch(what string, got, want any) error {
	return fmt.Errorf("%s: got %v, want %v", what, got, want)
}

// soon ends a wait for what never comes. It is long enough for a machine with much else to do: no
// outcome depends on how long a step takes.
const soon = 5 * time.Minute

// poll asks every 100 ms until the answer is there, and fails with the last trouble when it did not
// come within the limit.
func poll(ctx context.Context, within time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	timer := time.NewTicker(100 * time.Millisecond)
	defer timer.Stop()
	var trouble error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		// A question that the end of the time cut short tells nothing.
		if trouble == nil || ctx.Err() == nil {
			trouble = err
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("after %v: %w", within, trouble)
		}
	}
}
