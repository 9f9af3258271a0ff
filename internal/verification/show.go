package verification

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxAsk is how long a caller waits for Didit before the recorded status is returned.
	maxAsk = 5 * time.Second
	// maxListed is the number of sessions in a list, without those that are there for being approved.
	maxListed = 10
	// maxLookedAt is among how many of a user's sessions those are looked for.
	maxLookedAt = 100
)

// Status returns the record of a session, for its owner and for trusted callers. Didit is asked
// first, within the deployment's budget and at most once a minute, if the status is in doubt, or
// unfinished and more than a minute old, or final and a day old; if that fails the record is
// returned as it is.
//
// It returns an [*Error] with code not_found both for an unknown session and for another user's.
func (t *Tracker) Status(ctx context.Context, caller Caller, sessionID string) (Record, error) {
	id, ok := normalID(sessionID)
	if !ok {
		return Record{}, noSession()
	}
	r, found, err := t.lookUp(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if !found || r.Erased || !caller.Trusted && (r.VendorData == "" || r.VendorData != caller.Principal) {
		return Record{}, noSession()
	}
	if !r.askable(t.now()) {
		return r, nil
	}
	if r = t.refresh(ctx, r); r.Erased {
		return Record{}, noSession()
	}
	return r, nil
}

// lookUp reads a record for a caller. Apps go on asking about sessions that have ended: of one that
// this process found settled, a copy that may be a second old does as well.
func (t *Tracker) lookUp(ctx context.Context, id string) (Record, bool, error) {
	if t.settled.has(id) {
		if r, found, err := t.Store.RecentRecord(ctx, id); err != nil || found && r.settled() {
			return r, found, err
		}
	}
	r, found, err := t.Store.Record(ctx, id)
	if err == nil {
		t.settled.note(id, found && r.settled())
	}
	return r, found, err
}

// maxNoted is how many sessions a process notes as settled; an id has 36 bytes.
const maxNoted = 1000

// settledSessions are sessions that were settled when this process last looked. The zero value is
// empty; it is safe for concurrent use.
type settledSessions struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (s *settledSessions) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id]
}

func (s *settledSessions) note(id string, settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !settled:
		delete(s.ids, id)
	case s.ids == nil || len(s.ids) >= maxNoted:
		s.ids = map[string]bool{id: true}
	default:
		s.ids[id] = true
	}
}

// noSession is the error for sessions that do not exist and, so that ids cannot be probed, for
// those of other users.
func noSession() *Error { return &Error{Code: CodeNotFound, Detail: "There is no such session."} }

// refresh asks Didit about a session, if the budget allows, and returns the current record.
func (t *Tracker) refresh(ctx context.Context, r Record) Record {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.AskLimit, maxAsk))
	defer cancel()
	now := t.now()
	if t.reads.spent(now, r.settled()) {
		return r
	}
	claimed, ok, err := t.Store.Claim(ctx, r.SessionID, now, r.readPause())
	if err != nil || !ok {
		t.logRecovered(ctx, err)
		return r
	}
	if !claimed.askable(now) {
		return claimed
	}
	fresh, err := t.read(ctx, claimed)
	t.logRecovered(ctx, err)
	if fresh.SessionID == "" {
		return claimed
	}
	return fresh
}

// read reads a claimed session at Didit, if reads are left in the minute, and returns the current
// record, if it is known. Of those for callers at most half are for final statuses, which can wait.
func (t *Tracker) read(ctx context.Context, r Record) (Record, error) {
	limit, err := t.readsPerMinute(ctx)
	if err != nil {
		return Record{}, err
	}
	if limit /= 2; r.settled() {
		limit = (limit + 1) / 2
	}
	now := t.now()
	allowed, err := t.Store.TakeReadBudget(ctx, ReaderGet, now, limit)
	if err != nil {
		return Record{}, err
	}
	if !allowed {
		t.reads.exhaust(now, r.settled())
		return Record{}, nil
	}
	e, err := t.ask(ctx, r)
	if err == nil {
		return t.observe(ctx, e, false)
	}
	if AsError(err).Code == CodeNotFound {
		t.logRecovered(ctx, err)
		err = t.reportMissing(ctx, r)
	}
	return Record{}, err
}

// List returns the ten latest sessions of an end user, newest first, as they are on record, and
// after them the latest approved one of each workflow that they do not include. A trusted caller
// must name the end user; a signed-in caller may only name themselves.
//
// It returns an [*Error] with code invalid_request if a trusted caller names no end user, and with
// vendor_data_mismatch if a signed-in caller names another one.
func (t *Tracker) List(ctx context.Context, caller Caller, vendorData string) ([]Record, error) {
	if !caller.Trusted {
		if vendorData != "" && vendorData != caller.Principal {
			return nil, mismatch()
		}
		vendorData = caller.Principal
	}
	if invalid := InvalidOwner(vendorData); len(invalid) > 0 {
		return nil, &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	records, err := t.Store.ByOwner(ctx, vendorData, maxLookedAt)
	var listed []Record
	for i, r := range records {
		approved := r.Status == StatusApproved && !slices.ContainsFunc(listed, func(other Record) bool {
			return other.Status == StatusApproved && other.WorkflowID == r.WorkflowID
		})
		if i < maxListed || approved {
			listed = append(listed, r)
		}
	}
	return listed, err
}

// InvalidOwner lists what is wrong with vendor data that sessions are looked for by; nothing if it
// can be used.
func InvalidOwner(vendorData string) []FieldError {
	switch {
	case vendorData == "":
		return []FieldError{{Field: "vendor_data", Message: "is required: set it to the end user's id."}}
	case len(vendorData) > MaxVendorData:
		return []FieldError{{Field: "vendor_data", Message: "is longer than any that a session can have."}}
	default:
		return nil
	}
}
