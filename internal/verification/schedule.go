package verification

import "time"

const (
	// maxAge is the age up to which the record of an unfinished session is returned without asking
	// Didit, and the least time between two reads of one session. Apps poll every 5 s.
	maxAge = time.Minute
	// maxFinalAge is the same for a final status.
	maxFinalAge = 24 * time.Hour
	// maxPause is the longest time between two reads of one session.
	maxPause = 24 * time.Hour
	// maxAskedAge is the age up to which Reconcile asks about a session that no task waits on.
	maxAskedAge = 30 * 24 * time.Hour
	// defaultReconcileAfter is [Tracker.ReconcileAfter] if that is not set.
	defaultReconcileAfter = 15 * time.Minute
	// taskGrace is how long the one who recorded a final status has for completing its tasks, before
	// Reconcile does.
	taskGrace = time.Minute
	// maxUnknown is how often Didit must answer that it has no such session, over minUnknown at
	// least and unknownPause apart, before that is believed.
	maxUnknown   = 3
	minUnknown   = time.Hour
	unknownPause = 30 * time.Minute

	// DefaultRetention is how long a record is kept after its last change, unless configured.
	DefaultRetention = 1095 * 24 * time.Hour
	// TaskRetention is how long the token of a task is kept, and so the record of a session that a
	// task waits on: a day more than a task of Step Functions can wait.
	TaskRetention = 366 * 24 * time.Hour
)

// pause returns how long to wait before the next read, and whether there is one. A session that was
// not begun, and that no task waits on, is read after three such pauses, then after 1, 3 and 8
// days: its link lives for 7 days by default.
func (r Record) pause(after time.Duration) (pause time.Duration, ok bool) {
	const day = 24 * time.Hour
	pause = after
	for range min(r.Asked, 30) {
		pause = min(2*pause, maxPause)
	}
	if r.Status != StatusNotStarted || r.Awaited {
		return pause, true
	}
	switch r.Asked {
	case 0, 1, 2:
		return pause, true
	case 3:
		return max(day-(1+2+4)*after, after), true
	case 4:
		return 2 * day, true
	case 5:
		return 5 * day, true
	default:
		return 0, false
	}
}

// scheduled returns the record with the time of the next look at it.
func (r Record) scheduled(m moment) Record {
	switch pause, ok := r.pause(m.after); {
	case r.Final() && r.Awaited:
		r.DueFrom = m.now.Add(taskGrace)
	case r.Final() && r.DoubtAt.IsZero(), !ok:
		r.DueFrom = time.Time{}
	default:
		r.DueFrom = m.now.Add(pause)
	}
	return r
}

// answered returns the record after a read that changed no status. If the session was due, that was
// the read that it was due for. An earlier one is no substitute: what is lost after it would wait
// behind all others.
func (r Record) answered(m moment) Record {
	if r.Final() || r.isDue(m.now) {
		r.Unread = false
		r.Asked++
		return r.scheduled(m)
	}
	return r
}

// failed returns the record after Reconcile could not read it at Didit, or not complete its tasks.
// Whatever made it due still does.
func (r Record) failed(m moment) Record {
	tasks := r.Class() == ClassTasks // which need no read
	r.Unread = r.Unread && tasks
	r.Asked++
	r = r.scheduled(m)
	if r.Final() {
		pause, _ := r.pause(m.after)
		r.DueFrom = m.now.Add(pause)
	}
	return r
}

// isDue reports whether Reconcile is to look at the session.
func (r Record) isDue(now time.Time) bool { return !r.DueFrom.IsZero() && !r.DueFrom.After(now) }

// settled reports whether the status is final and not in doubt.
func (r Record) settled() bool { return r.Final() && r.DoubtAt.IsZero() }

// askable reports whether a caller is better served by a read than by the record.
func (r Record) askable(now time.Time) bool {
	switch age := now.Sub(r.CheckedAt); {
	case r.Final() && !r.UnknownSince.IsZero():
		return false // Didit deletes old sessions
	case !r.DoubtAt.IsZero():
		return true
	case r.Final():
		return age >= maxFinalAge
	default:
		return age > maxAge
	}
}

// readPause returns the least time between two reads for callers. While Didit seems not to have the
// session, that leaves Reconcile, which alone counts such answers, its turn.
func (r Record) readPause() time.Duration {
	if r.UnknownSince.IsZero() {
		return maxAge
	}
	return 2 * maxAge
}

// renewed returns the record with its retention begun anew. That of an awaited one is not
// shortened.
func (r Record) renewed(m moment) Record {
	if expires := m.now.Add(m.retention).Truncate(time.Second); !r.Awaited || expires.After(r.Expires) {
		r.Expires = expires
	}
	return r
}

// lost reports whether Didit has come to not know the session.
func (r Record) lost() bool { return r.UnknownReads >= maxUnknown }

// known returns the record after a sign that Didit has the session.
func (r Record) known(m moment) Record {
	if r.UnknownSince.IsZero() {
		return r
	}
	r.UnknownSince, r.UnknownReads = time.Time{}, 0
	if r.DueFrom.IsZero() {
		r.Asked = 0
		r = r.scheduled(m)
	}
	return r
}

// missing returns the record after a caller's read that Didit answered with not having the session,
// and whether it must be written. Such an answer can be wrong: Reconcile looks into it.
func (r Record) missing(m moment) (next Record, changed bool) {
	if !r.UnknownSince.IsZero() {
		return r, false
	}
	r.UnknownSince = m.now
	if !r.Final() {
		r.Asked, r.Unread, r.DueFrom = 0, true, m.now
	} else if r.Unread = false; !r.Awaited {
		r.DueFrom = time.Time{}
	}
	return r, true
}

// unknown returns the record after Reconcile's read that Didit answered with not having the
// session, where other sessions are known. See [Record.lost].
func (r Record) unknown(m moment) Record {
	if r.UnknownReads == 0 {
		r.UnknownSince = m.now
	}
	if r.UnknownReads < maxUnknown-1 || m.now.Sub(r.UnknownSince) >= minUnknown {
		r.UnknownReads++
	}
	r.Unread, r.DueFrom = false, m.now.Add(unknownPause)
	if r.lost() {
		r.DueFrom = time.Time{}
	}
	return r
}
