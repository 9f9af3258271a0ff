package verification

import (
	"cmp"
	"context"
	"time"
)

const (
	// maxAge is the age up to which the record of an unfinished session is returned without asking
	// Didit. Apps poll every 5 s.
	maxAge = time.Minute
	// maxReadsPerMinute are the reads of a whole deployment. Didit allows 100 a minute (Didit: Rate
	// limits, decision endpoint of v1 and v2), which the operator's other programs share.
	maxReadsPerMinute = 30
	// maxAsk is how long a caller waits for Didit before the recorded status is returned.
	maxAsk = 5 * time.Second
	// maxListed is the number of sessions in a list.
	maxListed = 10
)

// Status returns the record of a session, for its owner and for trusted callers. If the session is
// unfinished and its record more than a minute old, Didit is asked first, within the deployment's
// budget; if that fails the record is returned as it is.
//
// It returns an [*Error] with code not_found both for an unknown session and for another user's.
func (t *Tracker) Status(ctx context.Context, caller Caller, sessionID string) (Record, error) {
	id, ok := normalID(sessionID)
	if !ok {
		return Record{}, noSession()
	}
	r, found, err := t.Store.Record(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if !found || !caller.Trusted && (r.VendorData == "" || r.VendorData != caller.Principal) {
		return Record{}, noSession()
	}
	if r.Final() || t.now().Sub(r.CheckedAt) <= maxAge {
		return r, nil
	}
	return t.refresh(ctx, r), nil
}

// noSession is the error for sessions that do not exist and, so that ids cannot be probed, for
// those of other users.
func noSession() *Error { return &Error{Code: CodeNotFound, Detail: "There is no such session."} }

// refresh asks Didit about a session, if the budget allows, and returns the current record.
func (t *Tracker) refresh(ctx context.Context, r Record) Record {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.AskLimit, maxAsk))
	defer cancel()
	allowed, err := t.Store.TakeReadBudget(ctx, t.now(), maxReadsPerMinute)
	if err != nil || !allowed {
		t.logRecovered(ctx, err)
		return r
	}
	e, err := t.ask(ctx, r.SessionID)
	if err != nil {
		t.logRecovered(ctx, err)
		return r
	}
	fresh, err := t.observe(ctx, e, nil)
	t.logRecovered(ctx, err)
	if fresh.SessionID == "" {
		return r
	}
	return fresh
}

// List returns the ten latest sessions of an end user, newest first, as they are on record. A
// trusted caller must name the end user; a signed-in caller may only name themselves.
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
	switch {
	case vendorData == "":
		return nil, invalidField("vendor_data", "is required: set it to the end user's id.")
	case len(vendorData) > MaxVendorData:
		return nil, invalidField("vendor_data", "is longer than any that a session can have.")
	}
	return t.Store.ByOwner(ctx, vendorData, maxListed)
}
