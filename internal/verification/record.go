package verification

import (
	"cmp"
	"slices"
	"time"
)

// Source is where the status of a record comes from.
type Source string

// The sources, which decide between statuses of the same second.
const (
	SourceCreate Source = "create" // set when the session was put on record; loses to all others
	SourceEvent  Source = "event"  // delivered by a webhook
	SourceRead   Source = "read"   // read at Didit
)

// Record is what is stored about a session. It prints without the vendor data.
type Record struct {
	hidden
	SessionID  string // lower-case UUID
	VendorData string // the owner's id; empty: none, or not known
	WorkflowID string // empty: not known
	Status     string
	StatusAt   time.Time // when the status was set, UTC, whole seconds
	Source     Source
	Checks     []Check
	CreatedAt  time.Time // when the session was put on record, UTC, whole milliseconds
	CheckedAt  time.Time // when the status was last written or confirmed
	// DueFrom is when the reconcile timer was last reset; zero: never due.
	DueFrom time.Time
	// Asked is how many reads at Didit have found no change since the last one.
	Asked int
	// Awaited is true once a task has waited on the session.
	Awaited bool
	Seen    []string // ids of the last events
	// Version grows with every write. Only the store sets it.
	Version int64
}

// maxSeen is how many event ids a record keeps.
const maxSeen = 20

// NewRecord returns the record of a new session.
func NewRecord(sessionID, vendorData, workflowID, status string, now time.Time) Record {
	now = now.UTC().Truncate(time.Millisecond)
	return Record{
		SessionID: sessionID, VendorData: vendorData, WorkflowID: workflowID, Status: status,
		StatusAt: now.Truncate(time.Second), Source: SourceCreate, CreatedAt: now, CheckedAt: now, DueFrom: now,
	}
}

// Final reports whether the end user can do nothing more in the session.
func (r Record) Final() bool { return Final(r.Status) }

// apply returns the record after the event, whether it must be written, and whether the event's
// status won. now is the time of the write.
func (r Record) apply(e Event, now time.Time) (next Record, changed, won bool) {
	if slices.Contains(r.Seen, e.ID) {
		return r, false, false
	}
	next = r
	next.Seen = append(slices.Clone(r.Seen), e.ID)
	if extra := len(next.Seen) - maxSeen; extra > 0 {
		next.Seen = next.Seen[extra:]
	}
	next.CheckedAt = now
	next.VendorData = cmp.Or(r.VendorData, e.VendorData)
	next.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	if !e.beats(r) {
		return next, true, false
	}
	next.Status, next.StatusAt, next.Source = e.Status, e.OccurredAt, SourceEvent
	if e.isRead() {
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

// confirm returns the record after Didit reported the same status.
func (r Record) confirm(e Event, now time.Time) Record {
	r.CheckedAt = now
	r.VendorData = cmp.Or(r.VendorData, e.VendorData)
	r.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	if len(e.Checks) > 0 && !e.OccurredAt.Before(r.StatusAt) {
		r.Checks = e.Checks
	}
	return r
}

// beats reports whether the event's status replaces the record's. The time of a delivered event is
// its own, that of a read its start. Of two statuses of one second the final one wins, else the
// later to arrive; but a read loses to every delivered event of its second.
func (e Event) beats(r Record) bool {
	tie := Final(e.Status) || !r.Final()
	switch {
	case r.Source == SourceCreate:
		return true
	case e.isRead() && r.Source == SourceEvent:
		tie = false
	case !e.isRead() && r.Source == SourceRead:
		tie = true
	}
	return e.OccurredAt.After(r.StatusAt) || tie && e.OccurredAt.Equal(r.StatusAt)
}

// inconclusive reports whether the event is a read that loses to the record's status only because
// it began in the same second: either of the two may be newer.
func (e Event) inconclusive(r Record) bool {
	return e.isRead() && e.OccurredAt.Equal(r.StatusAt) && !e.beats(r)
}
