package verification

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// maxLook is [Creator.LookLimit] if that is not set. Without the list the request goes on: it only
	// prevents waste.
	maxLook = time.Second
	// limitPeriod is the time of which the sessions of a user are counted.
	limitPeriod = 24 * time.Hour
)

// checkNeed refuses a session that a signed-in user does not need: because the latest one of the
// workflow is approved or in review, or because the user had too many in a day. It returns that
// latest session; the zero value if there is none, or if it is not known.
//
// The list lags, so two requests at once may both pass: this prevents waste and is no security
// boundary.
func (c *Creator) checkNeed(ctx context.Context, d *draft, caller Caller) (latest Record, err error) {
	if caller.Trusted || c.Store == nil {
		return Record{}, nil
	}
	look, cancel := context.WithTimeout(ctx, cmp.Or(c.LookLimit, maxLook))
	defer cancel()
	sessions, err := c.Store.Latest(look, d.vendorData, maxLookedAt)
	if err != nil {
		c.logRecovered(ctx, err)
		return Record{}, nil
	}
	unfinished := 0
	for _, r := range slices.Backward(sessions) {
		if r.WorkflowID != d.workflowID {
			continue
		}
		if latest = r; r.reusable() {
			unfinished++
		}
	}
	repeatable := c.Policy.Reverify || slices.Contains(c.Policy.BiometricWorkflowIDs, d.workflowID)
	switch {
	case repeatable:
	case latest.Status == StatusApproved:
		return latest, &Error{Code: CodeAlreadyVerified, Session: &latest}
	case latest.Status == StatusInReview && !latest.lost():
		return latest, &Error{Code: CodeInReview, Session: &latest}
	}
	// Didit hands an unfinished session out again, which is no new one. Two show that it does not.
	if latest.reusable() && unfinished == 1 {
		return latest, nil
	}
	return latest, c.checkNumber(sessions)
}

// checkNumber refuses a session if the user had as many as allowed. The limit is at most the number
// of the sessions, newest first, that were looked at.
func (c *Creator) checkNumber(sessions []Record) error {
	limit := c.Policy.SessionsPerDay
	if limit == 0 || len(sessions) < limit {
		return nil
	}
	left := sessions[limit-1].CreatedAt.Add(limitPeriod).Sub(c.now())
	if left <= 0 {
		return nil
	}
	return &Error{Code: CodeTooManySessions, RetryAfter: left}
}

// reusable reports whether Didit is expected to hand the session out again. It never does so with
// one in review (Didit: Create session, OpenAPI 3.0.0).
func (r Record) reusable() bool {
	return r.SessionID != "" && !r.Final() && !r.lost() && r.Status != StatusInReview
}

// doubt makes an unfinished session due, because Didit handed out a new one instead: its status is
// probably another one at Didit.
func (c *Creator) doubt(ctx context.Context, latest Record) {
	if !latest.reusable() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.LookLimit, maxLook))
	defer cancel()
	m := newMoment(c.now().UTC().Truncate(time.Millisecond), c.ReconcileAfter, c.Retention)
	_, err := update(ctx, c.Store, latest.SessionID, func(r Record) (Record, bool, error) {
		return r.inDoubt(m.now.Truncate(time.Second), m), r.reusable(), nil
	})
	c.logRecovered(ctx, err)
}

// logRecovered does nothing if err is nil.
func (c *Creator) logRecovered(ctx context.Context, err error) {
	if err != nil && c.LogRecovered != nil {
		c.LogRecovered(ctx, AsError(err))
	}
}
