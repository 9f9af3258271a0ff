package verification

import (
	"cmp"
	"context"
	"time"
)

const (
	// staleAfter is the age from which on the status of an unfinished session is asked for again.
	staleAfter = time.Minute
	// readsPerMinute are the reads of a whole deployment. Didit allows 100 a minute (Didit: Rate
	// limits, decision endpoint of v1 and v2), which others may use as well.
	readsPerMinute = 30
	// askLimit is how long a caller who asks for a status waits for Didit, before he gets the one
	// on record.
	askLimit = 5 * time.Second
	// mostListed is the length of the list of a caller's sessions.
	mostListed = 10
)

// Status returns the record of a session, for its owner and for trusted callers. The record of an
// unfinished session that nobody has written for a minute is brought up to date first, within the
// deployment's budget; where that fails it is returned as it is.
//
// It returns an [*Error] with code not_found for an unknown session and for somebody else's alike.
func (t *Tracker) Status(ctx context.Context, caller Caller, sessionID string) (Record, error) {
	id, ok := normalID(sessionID)
	if !ok {
		return Record{}, noSession()
	}
	r, found, err := t.Store.Session(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if !found || !caller.Trusted && (r.VendorData == "" || r.VendorData != caller.Principal) {
		return Record{}, noSession()
	}
	if r.Final() || t.now().Sub(r.CheckedAt) <= staleAfter {
		return r, nil
	}
	return t.refresh(ctx, r), nil
}

// noSession is the one answer for sessions that do not exist and for those of others.
func noSession() *Error { return &Error{Code: CodeNotFound, Detail: "There is no such session."} }

// refresh asks Didit about a session, if the budget allows, and returns what then stands.
func (t *Tracker) refresh(ctx context.Context, r Record) Record {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.AskLimit, askLimit))
	defer cancel()
	allowed, err := t.Store.TakeRead(ctx, t.now(), readsPerMinute)
	if err != nil || !allowed {
		t.trouble(ctx, err)
		return r
	}
	e, err := t.ask(ctx, r.SessionID)
	if err != nil {
		t.trouble(ctx, err)
		return r
	}
	fresh, err := t.observe(ctx, e, nil)
	if err != nil {
		t.trouble(ctx, err)
	}
	if fresh.SessionID == "" {
		return r
	}
	return fresh
}

// List returns the ten latest sessions of the caller, newest first, as they are on record. A trusted
// caller names the end user, whose sessions they are; a signed-in one may repeat who he is.
//
// It returns an [*Error] with code invalid_request when a trusted caller names nobody, and with
// vendor_data_mismatch when a signed-in one names somebody else.
func (t *Tracker) List(ctx context.Context, caller Caller, vendorData string) ([]Record, error) {
	if !caller.Trusted {
		if vendorData != "" && vendorData != caller.Principal {
			return nil, mismatch()
		}
		vendorData = caller.Principal
	}
	switch {
	case vendorData == "":
		return nil, &Error{Code: CodeInvalidRequest, Fields: []FieldError{{Field: "vendor_data", Message: "is required: name the end user whose sessions you want."}}}
	case len(vendorData) > MostVendorData:
		return nil, &Error{Code: CodeInvalidRequest, Fields: []FieldError{{Field: "vendor_data", Message: "is longer than any that a session can have."}}}
	}
	return t.Store.ByOwner(ctx, vendorData, mostListed)
}
