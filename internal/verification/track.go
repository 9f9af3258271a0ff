package verification

import "context"

// Track records a published event and, if the status on record is final then, completes the tasks
// that wait on the session. Events may come in any order and any number of times. An event that is
// not about a status, or whose session is not on record, changes nothing.
//
// Its errors are [*Error]s with code backend_unavailable or internal; calling again is safe.
func (t *Tracker) Track(ctx context.Context, e Event) error {
	if !e.Recorded || e.DataUpdated {
		return nil
	}
	if e.isRead() {
		_, err := t.observe(ctx, e, true)
		return err
	}
	_, err := t.write(ctx, e.SessionID, func(r Record) (Record, bool, error) {
		next, changed := r.withEvent(e, t.moment())
		return next, changed, nil
	})
	return err
}
