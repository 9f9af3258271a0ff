package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of the system: the machine's until it is stopped or set forward. The zero value
// is ready to use. It is safe for concurrent use.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time] // nil while it runs
}

func (c *clock) now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

// stop makes the clock stand still until it is set forward, so that nothing depends on how fast the
// machine is, or on where a second ends.
func (c *clock) stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
