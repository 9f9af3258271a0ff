//go:build system

package systemtest

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// maxWait ends a wait for something that never comes. It is long enough for a very busy machine: no
// outcome depends on how long a step takes.
const maxWait = 5 * time.Minute

// poll calls try every 100 ms until it returns nil, and at most for the duration within. It then
// returns the last error that was not caused by the end of the time.
func poll(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("after %v: %w", within, last)
		}
	}
}

// eventually ends the test unless try returns nil within maxWait.
func (s *system) eventually(t *testing.T, try func(context.Context) error) {
	t.Helper()
	if err := poll(s.ctx, maxWait, try); err != nil {
		t.Fatal(err)
	}
}

// mismatch is the error of a value that is not the expected one.
func mismatch(what string, got, want any) error {
	return fmt.Errorf("%s: got %v, want %v", what, got, want)
}
