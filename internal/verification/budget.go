package verification

import (
	"sync"
	"time"
)

// Decisions that a deployment reads at Didit in a minute. Didit allows 100 with v1 and v2 and 600
// with v3 in any 60 seconds, of which two of these minutes can share one (Didit: Rate limits).
const (
	readsPerMinuteV2 = 50
	readsPerMinuteV3 = 300
)

// readBudget is what one process knows of the reads for callers in a minute. Its zero value knows
// nothing; it is safe for concurrent use.
type readBudget struct {
	mu     sync.Mutex
	all    time.Time // the last minute that none were left in
	finals time.Time // the last minute that none for final statuses were left in
}

// spent reports whether no reads are left in the minute; finals asks about those for final
// statuses.
func (b *readBudget) spent(now time.Time, finals bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	minute := now.Truncate(time.Minute)
	return b.all.Equal(minute) || finals && b.finals.Equal(minute)
}

// exhaust notes that no reads are left in the minute.
func (b *readBudget) exhaust(now time.Time, finals bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finals = now.Truncate(time.Minute); !finals {
		b.all = b.finals
	}
}
