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
	// ConfirmedAt is when the last read began that found the status as it was; zero: none did.
	ConfirmedAt time.Time
	// CheckedAt is the last time that the session was created, an event won or a read was answered.
	CheckedAt time.Time
	// ReadAt is when the last read at Didit was claimed. Only [Store].Claim sets it.
	ReadAt time.Time
	// DoubtAt is when the latest doubtful event was sent; zero: the status is not in doubt.
	DoubtAt time.Time
	// News counts the events and the answered reads that were recorded.
	News int64
	// UnknownSince is when Didit first answered that it has no such session, and UnknownReads is how
	// often that counted. An event or an answered read resets both.
	UnknownSince time.Time
	UnknownReads int
	// DueFrom is when Reconcile is to look at the session; zero: never.
	DueFrom time.Time
	// Asked counts the reads since the last change or doubt; it decides about the next pause.
	Asked int
	// Unread is true until the session is read at Didit when it is due after its last change or doubt.
	Unread bool
	// Awaited is true from the registration of a task until the tasks of a final status are completed.
	Awaited bool
	// Erased is true if the end user was erased. Such a record is as good as none, and keeps the
	// session from coming back. Only [Store].MarkErased sets it, and Gone.
	Erased  bool
	Gone    bool      // from Didit, and erased
	Seen    []string  // ids of the last events
	Expires time.Time // whole seconds; zero: never
	// Version grows with every write but a claim. Only the store sets it.
	Version int64
}

// maxSeen is how many event ids a record keeps.
const maxSeen = 20

// NewRecord returns the record of a new session, which never expires.
func NewRecord(sessionID, vendorData, workflowID, status string, now time.Time) Record {
	now = now.UTC().Truncate(time.Millisecond)
	return Record{
		SessionID: sessionID, VendorData: vendorData, WorkflowID: workflowID, Status: status,
		StatusAt: now.Truncate(time.Second), Source: SourceCreate, CreatedAt: now, CheckedAt: now,
		DueFrom: now.Add(defaultReconcileAfter), Unread: !Final(status),
	}
}

// Final reports whether the end user can do nothing more in the session.
func (r Record) Final() bool { return Final(r.Status) }

// Next is what an app should do about the session.
func (r Record) Next() Next {
	if !r.Final() && r.lost() {
		return NextRetry
	}
	return NextOf(r.Status)
}

// Class is the urgency of a session that is due, from 0.
type Class int

// The classes, in the order in which Reconcile handles them.
const (
	ClassTasks   Class = iota // final, with tasks to complete
	ClassUnread               // in doubt, or not read since the last change
	ClassAwaited              // a task waits on it
	ClassOther
)

// Class returns the urgency of the session.
func (r Record) Class() Class {
	switch {
	case r.Final() && r.Awaited:
		return ClassTasks
	case r.Unread:
		return ClassUnread
	case r.Awaited:
		return ClassAwaited
	default:
		return ClassOther
	}
}

// moment is what the rules for records depend on: the time of the write, and the configuration.
type moment struct {
	now       time.Time
	after     time.Duration // [Tracker.ReconcileAfter]
	retention time.Duration
}

// newMoment returns the moment with the defaults for what is 0.
func newMoment(now time.Time, after, retention time.Duration) moment {
	return moment{now, cmp.Or(after, defaultReconcileAfter), cmp.Or(retention, DefaultRetention)}
}

// withEvent returns the record after a delivered event, and whether it must be written.
func (r Record) withEvent(e Event, m moment) (next Record, changed bool) {
	if slices.Contains(r.Seen, e.ID) {
		return r, false
	}
	next = r.known(m).noting(e)
	next.News++
	differs := e.Status != r.Status
	switch {
	case e.beats(r):
		next = next.standing(e, m)
		tie := r.Source != SourceCreate && e.OccurredAt.Equal(r.StatusAt)
		if tie && differs && !r.Final() && !next.Final() {
			next = next.inDoubt(e.SentAt, m)
		}
	case differs && e.SentAt.After(r.StatusAt):
		// Didit does not say whether created_at is the event's time or the session's.
		next = next.inDoubt(e.SentAt, m)
	}
	return next, true
}

// withRead returns the record after a read at Didit that nothing was recorded during, whether it
// must be written, and whether the event must be published before.
func (r Record) withRead(e Event, m moment) (next Record, changed, publish bool) {
	same, settles := e.Status == r.Status, e.OccurredAt.After(r.DoubtAt)
	switch {
	case slices.Contains(r.Seen, e.ID), e.inconclusive(r):
		return r, false, false
	case !settles && (same || !e.beats(r)):
		// It may have begun before the doubtful event: ask again when a read can settle it.
		next = r
		next.DueFrom = r.DoubtAt.Add(time.Second)
		return next, true, false
	}
	next = r.known(m)
	next.News++
	switch {
	case !same && e.beats(r):
		return next.noting(e).standing(e, m), true, true
	case same:
		publish = !r.DoubtAt.IsZero()
		next = next.confirmed(e, m)
	}
	if settles {
		next.DoubtAt = time.Time{}
	}
	return next.answered(m), true, publish
}

// noting returns the record with the event's id, and with what the record does not know of the
// owner.
func (r Record) noting(e Event) Record {
	r.Seen = append(slices.Clone(r.Seen), e.ID)
	if extra := len(r.Seen) - maxSeen; extra > 0 {
		r.Seen = r.Seen[extra:]
	}
	return r.filledIn(e)
}

// filledIn returns the record with the owner and the workflow of the event, if it has none.
func (r Record) filledIn(e Event) Record {
	r.VendorData = cmp.Or(r.VendorData, e.VendorData)
	r.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	return r
}

// standing returns the record with the event's status.
func (r Record) standing(e Event, m moment) Record {
	if r.Final() && !Final(e.Status) {
		r.Checks = nil // they belong to the attempt that is over
	}
	if e.Status != r.Status || !r.Final() {
		r = r.renewed(m)
	}
	r.Status, r.StatusAt, r.ConfirmedAt, r.Source = e.Status, e.OccurredAt, time.Time{}, SourceEvent
	if e.isRead() {
		r.Source = SourceRead
	}
	if len(e.Checks) > 0 {
		r.Checks = e.Checks
	}
	r.CheckedAt, r.Asked, r.Unread = m.now, 0, !e.isRead() && !r.Final()
	if !e.OccurredAt.After(r.DoubtAt) {
		return r.inDoubt(r.DoubtAt, m)
	}
	r.DoubtAt = time.Time{} // the doubtful event was sent before this one happened
	return r.scheduled(m)
}

// inDoubt returns the record with a status that a read must settle, in a later second than at.
func (r Record) inDoubt(at time.Time, m moment) Record {
	if at.After(r.DoubtAt) {
		r.DoubtAt = at
	}
	r.Asked, r.Unread, r.DueFrom = 0, true, m.now
	return r
}

// overtaken returns the record after a read during which something else was recorded, and whether
// it must be written. Which of the two is newer is not known.
func (r Record) overtaken(e Event, published bool, m moment) (next Record, changed bool) {
	if e.Status == r.Status || slices.Contains(r.Seen, e.ID) {
		return r, false
	}
	if published || !e.OccurredAt.Before(r.StatusAt) {
		return r.inDoubt(e.OccurredAt, m), true
	}
	r.Unread, r.DueFrom = true, m.now
	return r, true
}

// confirmed returns the record after Didit reported the same status.
func (r Record) confirmed(e Event, m moment) Record {
	r.CheckedAt = m.now
	if at, _ := r.asOf(); e.OccurredAt.After(at) {
		r.ConfirmedAt = e.OccurredAt
	}
	if !r.Final() {
		r = r.renewed(m)
	}
	if !r.DoubtAt.IsZero() {
		r = r.noting(e)
	}
	r = r.filledIn(e)
	if len(e.Checks) > 0 && !e.OccurredAt.Before(r.StatusAt) {
		r.Checks = e.Checks
	}
	return r
}

// beats reports whether the event's status replaces the record's. The time of a delivered event is
// its own, that of a read its start. Of two statuses of one second the final one wins, else the
// later to arrive; but a read loses to every delivered event of its second.
func (e Event) beats(r Record) bool {
	at, source := r.asOf()
	tie := Final(e.Status) || !r.Final()
	switch {
	case source == SourceCreate:
		return true
	case e.isRead() && source == SourceEvent:
		tie = false
	case !e.isRead() && source == SourceRead:
		tie = true
	}
	return e.OccurredAt.After(at) || tie && e.OccurredAt.Equal(at)
}

// asOf returns the time as of which the status is known, and from where: a read that confirms a
// status counts as of its start, as one that changes it does.
func (r Record) asOf() (time.Time, Source) {
	if r.ConfirmedAt.IsZero() {
		return r.StatusAt, r.Source
	}
	return r.ConfirmedAt, SourceRead
}

// inconclusive reports whether the event is a read that loses to the record's status only because
// it began in the same second: either of the two may be newer.
func (e Event) inconclusive(r Record) bool {
	at, _ := r.asOf()
	return e.Status != r.Status && e.OccurredAt.Equal(at) && !e.beats(r)
}
