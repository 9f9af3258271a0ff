package main

import (
	"cmp"
	"context"
	"time"
)

// timing is the tool's clock. The zero value is the machine's; tests set their own.
type timing struct {
	clock func() time.Time
	sleep func(context.Context, time.Duration) error
	// patience is how long deliveries, probes and lines of logs are waited for, and how long a step
	// shows no progress; 0 means what each has of its own.
	patience time.Duration
}

// atMost returns the limit of a wait that has one of its own.
func (t timing) atMost(own time.Duration) time.Duration { return cmp.Or(t.patience, own) }

func (t timing) now() time.Time {
	if t.clock != nil {
		return t.clock()
	}
	return time.Now()
}

// pause waits. It returns early with the context's error.
func (t timing) pause(ctx context.Context, d time.Duration) error {
	if t.sleep != nil {
		return t.sleep(ctx, d)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
