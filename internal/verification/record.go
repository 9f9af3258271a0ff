package verification

import (
	"slices"
	"time"
)

// Source says where the status of a record comes from.
type Source string

// The sources, which decide between statuses of the same second.
const (
	SourceCreate Source = "create" // set when the session was put on record; older than anything else
	SourceEvent  Source = "event"  // delivered by a webhook
	SourceRead   Source = "read"   // read at Didit
)

// Record is what is kept of a session. It prints without the vendor data.
type Record struct {
	SessionID  string // lower-case UUID
	VendorData string // whose session it is; empty: nobody's, or not known
	WorkflowID string // empty: not known
	Status     string
	StatusAt   time.Time // when the status was set, UTC, whole seconds
	Source     Source
	Checks     []Check
	CreatedAt  time.Time // when the session was put on record, UTC, whole milliseconds
	CheckedAt  time.Time // when the status was last written or confirmed
	// DueFrom is the time from which on it counts how long the session has been left alone; zero
	// when nobody needs to ask Didit about it any more.
	DueFrom time.Time
	// Asked is how often Didit was asked in vain since the last change.
	Asked int
	// Awaited tells that tasks have waited on the session.
	Awaited bool
	Seen    []string // ids of the last events
	// Version grows with every write. It is the store's; others leave it alone.
	Version int64
}

// mostSeen is how many events a record remembers.
const mostSeen = 20

// NewRecord is the record of a session that nothing has happened to yet.
func NewRecord(sessionID, vendorData, workflowID, status string, now time.Time) Record {
	now = now.UTC().Truncate(time.Millisecond)
	return Record{
		SessionID: sessionID, VendorData: vendorData, WorkflowID: workflowID, Status: status,
		StatusAt: now.Truncate(time.Second), Source: SourceCreate, CreatedAt: now, CheckedAt: now, DueFrom: now,
	}
}

// Final reports whether the end user can do nothing more in the session.
func (r Record) Final() bool { return Final(r.Status) }

// after is the record once the event is known; now is the time of the writing. changed tells that
// there is something to write, and won that the event's status stands.
func (r Record) after(e Event, now time.Time) (next Record, changed, won bool) {
	if slices.Contains(r.Seen, e.ID) {
		return r, false, false
	}
	next = r
	next.Seen = append(slices.Clone(r.Seen), e.ID)
	if extra := len(next.Seen) - mostSeen; extra > 0 {
		next.Seen = next.Seen[extra:]
	}
	next.CheckedAt = now
	if next.VendorData == "" {
		next.VendorData = e.VendorData
	}
	if next.WorkflowID == "" {
		next.WorkflowID = e.WorkflowID
	}
	if !e.beats(r) {
		return next, true, false
	}
	next.Status, next.StatusAt, next.Source = e.Status, e.OccurredAt, SourceEvent
	if e.read() {
		next.Source = SourceRead
	}
	if len(e.Checks) > 0 {
		next.Checks = e.Checks
	}
	next.Asked, next.DueFrom = 0, now
	if next.Final() && !r.Awaited {
		next.DueFrom = time.Time{}
	}
	return next, true, true
}

// beats reports whether the event's status takes the place of the record's. A delivered event
// counts as of its own time, a read as of its start; of two that are equally old the final one
// wins, else the later to arrive. A read loses to every delivered event of its second.
func (e Event) beats(r Record) bool {
	tie := Final(e.Status) || !r.Final()
	switch {
	case r.Source == SourceCreate:
		return true
	case e.read() && r.Source == SourceEvent:
		tie = false
	case !e.read() && r.Source == SourceRead:
		tie = true
	}
	return e.OccurredAt.After(r.StatusAt) || tie && e.OccurredAt.Equal(r.StatusAt)
}

// inconclusive reports whether the event is a read that loses to the record's status only because it
// began in the same second. Such a read does not say which of the two is newer.
func (e Event) inconclusive(r Record) bool {
	return e.read() && e.OccurredAt.Equal(r.StatusAt) && !e.beats(r)
}
