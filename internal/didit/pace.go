package didit

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// maxPerSecond is how many requests a [Pace] lets pass in a second. Didit allows an application 300
// writes in any minute (Didit: Rate limits); this leaves a fifth of them for new sessions.
const maxPerSecond = 4

// Pace spreads requests evenly over time. Its zero value lets four pass in a second, and so 240 in
// a minute, repeated ones included. Set its fields before first use; it is safe for concurrent use
// and must not be copied.
type Pace struct {
	// PerSecond is how many requests may pass in a second; 0 means 4.
	PerSecond int
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// Sleep waits, and returns false if the context ends first; nil waits in real time.
	Sleep func(ctx context.Context, d time.Duration) bool

	mu   sync.Mutex
	next time.Time // when the next request may pass
}

// wait waits until a request may pass. It returns false if the context ends first.
func (p *Pace) wait(ctx context.Context) bool {
	now, sleep := time.Now, sleep
	if p.Now != nil {
		now = p.Now
	}
	if p.Sleep != nil {
		sleep = p.Sleep
	}
	p.mu.Lock()
	at := now()
	turn := at
	if p.next.After(at) {
		turn = p.next
	}
	p.next = turn.Add(time.Second / time.Duration(cmp.Or(p.PerSecond, maxPerSecond)))
	p.mu.Unlock()
	return ctx.Err() == nil && (turn.Equal(at) || sleep(ctx, turn.Sub(at)))
}
