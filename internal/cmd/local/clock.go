package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of the system: that of the machine until somebody sets it forward. The zero value
// is ready. It is safe for concurrent use.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
