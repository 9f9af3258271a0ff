package main

import (
	"math"
	"sync"
	"time"
)

// bucket is the throttle of a route: it holds up to burst requests, begins full, and refills at
// rate requests a second. It is safe for concurrent use and must not be copied after first use.
type bucket struct {
	rate, burst float64

	mu   sync.Mutex
	used float64
	last time.Time
}

// take reports whether one more request passes.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.used = math.Max(0, b.used-now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.used+1 > b.burst {
		return false
	}
	b.used++
	return true
}
