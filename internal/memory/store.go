// Package memory implements the domain's interfaces to AWS services in memory, for local use and
// tests. Its contents are lost when the process ends.
package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/verification"
)

// Store is a [verification.Store] in memory. It copies records on their way in and out, and so
// shares no memory with its callers. Like the table, it stores times to the millisecond and in UTC,
// and does not delete what has expired. Its methods fail only if their context has ended. See
// [Store.Conflict], [Store.Lag] and [Store.Spoil] for what else the table does.
//
// The zero value is empty and ready to use. It is safe for concurrent use and must not be copied.
type Store struct {
	// Now tells what has expired; nil means [time.Now]. Set it before first use.
	Now func() time.Time

	mu        sync.Mutex
	records   map[string]verification.Record
	due       dueIndex
	lagging   *lists             // what lists and RecentRecord show; nil: what there is
	spoilt    map[string]bool    // sessions whose records are unreadable
	conflicts int                // conditional writes that another writer is still to disturb
	tokens    map[string][]token // of waiting tasks, by session and in the order of their arrival
	taken     map[budget]int
	shared    map[string]sharedToken // access tokens, by name
	added     int64                  // how many records were ever new
}

// budget is the reads of a reader in a minute.
type budget struct {
	reader verification.Reader
	minute time.Time
}

var _ verification.Store = (*Store)(nil)

// lock begins an operation. The caller unlocks mu, unless there is an error.
func (s *Store) lock(ctx context.Context) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Store) expired(at time.Time) bool { return !at.IsZero() && !at.After(s.now()) }

// live returns the record of a session unless it has expired. The caller holds mu.
func (s *Store) live(sessionID string) (verification.Record, bool) {
	r, ok := s.records[sessionID]
	return r, ok && !s.expired(r.Expires)
}

// Add stores the record of a session, or confirms the stored one.
func (s *Store) Add(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	return s.add(ctx, r, func(stored *verification.Record) {
		stored.CheckedAt = r.CheckedAt
		if r.Expires.After(stored.Expires) {
			stored.Expires = r.Expires
		}
	})
}

// Enroll marks the stored record as awaited, or stores the record.
func (s *Store) Enroll(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	r.Awaited = true
	return s.add(ctx, r, func(stored *verification.Record) { stored.Awaited, stored.Expires = true, r.Expires })
}

func (s *Store) add(ctx context.Context, r verification.Record, change func(stored *verification.Record)) (was verification.Record, known bool, err error) {
	if err := s.lock(ctx); err != nil {
		return verification.Record{}, false, err
	}
	defer s.mu.Unlock()
	stored, known := s.live(r.SessionID)
	if known && stored.Erased {
		return clone(stored), true, nil
	}
	if known {
		was = clone(stored)
		fillIn(&stored, r)
		if stored.DueFrom.IsZero() {
			stored.DueFrom = r.DueFrom
		}
		change(&stored)
		s.put(clone(stored))
		return was, true, nil
	}
	next := clone(r)
	next.Awaited = r.Awaited || s.records[r.SessionID].Awaited
	// Far from the versions of other records, so that a record that was removed and added again does
	// not match the version that was read before.
	s.added++
	next.Version, next.ReadAt = s.added<<32, time.Time{}
	s.put(next)
	return verification.Record{}, false, nil
}

// Record returns a copy of the session's record, and whether there is one.
func (s *Store) Record(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	if err := s.lock(ctx); err != nil {
		return verification.Record{}, false, err
	}
	defer s.mu.Unlock()
	r, ok := s.live(sessionID)
	switch {
	case !ok:
		return verification.Record{}, false, nil
	case s.spoilt[sessionID]:
		return verification.Record{}, false, verification.ErrUnreadable
	}
	return clone(r), true, nil
}

// RecentRecord is Record; see [Store.Lag].
func (s *Store) RecentRecord(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	r, ok, err := s.Record(ctx, sessionID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lagging != nil && err == nil {
		if r, ok = s.lagging.records[sessionID]; ok && s.expired(r.Expires) {
			return verification.Record{}, false, nil
		}
	}
	return clone(r), ok, err
}

// Claim claims a read of the session at Didit.
func (s *Store) Claim(ctx context.Context, sessionID string, at time.Time, pause time.Duration) (verification.Record, bool, error) {
	if err := s.lock(ctx); err != nil {
		return verification.Record{}, false, err
	}
	defer s.mu.Unlock()
	r, ok := s.live(sessionID)
	if ok && !r.Erased && s.disturbed() {
		r.ReadAt = at
		s.records[sessionID] = clone(r)
	}
	if !ok || r.Erased || r.ReadAt.After(at.UTC().Truncate(time.Millisecond).Add(-pause)) {
		return verification.Record{}, false, nil
	}
	r.ReadAt = at
	s.records[sessionID] = clone(r)
	if s.spoilt[sessionID] {
		return verification.Record{}, false, verification.ErrUnreadable
	}
	return clone(r), true, nil
}

// Replace writes the record if it is the latest version, and reports whether it did.
func (s *Store) Replace(ctx context.Context, r verification.Record) (bool, error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	stored, ok := s.latest(r)
	if !ok {
		return false, nil
	}
	next := clone(r)
	next.Version, next.CreatedAt, next.ReadAt = stored.Version, stored.CreatedAt, stored.ReadAt
	next.VendorData, next.WorkflowID = stored.VendorData, stored.WorkflowID
	fillIn(&next, r)
	s.put(next)
	return true, nil
}

// Remove deletes the record if it is the latest version, and reports whether it did.
func (s *Store) Remove(ctx context.Context, r verification.Record) (bool, error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	stored, ok := s.latest(r)
	if ok {
		s.due.remove(stored)
		delete(s.records, r.SessionID)
	}
	return ok, nil
}

// latest returns the stored record, if it is the version of r and not erased. The caller holds mu.
func (s *Store) latest(r verification.Record) (verification.Record, bool) {
	stored, ok := s.live(r.SessionID)
	if ok && !stored.Erased && s.disturbed() {
		s.put(stored)
		stored = s.records[r.SessionID]
	}
	return stored, ok && !stored.Erased && stored.Version == r.Version
}

// TakeReadBudget takes one of the reader's limit of reads, and reports whether one was left.
func (s *Store) TakeReadBudget(ctx context.Context, reader verification.Reader, at time.Time, limit int) (bool, error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	current := budget{reader, at.UTC().Truncate(time.Minute)}
	if s.taken[current] >= limit {
		return false, nil
	}
	if s.taken == nil {
		s.taken = make(map[budget]int)
	}
	maps.DeleteFunc(s.taken, func(b budget, _ int) bool { return current.minute.Sub(b.minute) > budgetRetention })
	s.taken[current]++
	return true, nil
}

// budgetRetention is how long the reads of a minute are counted.
const budgetRetention = time.Hour

// put stores the record with the next version. The caller holds mu.
func (s *Store) put(r verification.Record) {
	r.Version++
	if s.records == nil {
		s.records = make(map[string]verification.Record)
	}
	s.due.remove(s.records[r.SessionID])
	s.due.add(r)
	s.records[r.SessionID] = r
}

// fillIn sets the owner and the workflow of r if they are empty.
func fillIn(r *verification.Record, from verification.Record) {
	if r.VendorData == "" {
		r.VendorData = from.VendorData
	}
	if r.WorkflowID == "" {
		r.WorkflowID = from.WorkflowID
	}
}

// clone returns a copy that shares no memory with r, with times as the table stores them.
func clone(r verification.Record) verification.Record {
	r.Seen = append([]string(nil), r.Seen...)
	checks := r.Checks
	r.Checks = nil
	for _, c := range checks {
		if c.Status != nil {
			c.Status = new(*c.Status)
		}
		r.Checks = append(r.Checks, c)
	}
	for _, at := range []*time.Time{&r.StatusAt, &r.CreatedAt, &r.ConfirmedAt, &r.CheckedAt, &r.ReadAt, &r.DoubtAt, &r.UnknownSince, &r.DueFrom} {
		*at = at.UTC().Truncate(time.Millisecond)
	}
	r.Expires = r.Expires.UTC().Truncate(time.Second)
	return r
}

// contextError returns the error for a context that has ended, with which AWS would be out of
// reach.
func contextError(ctx context.Context) error {
	if ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the store is out of reach")
	}
	return nil
}

// byOwner returns an end user's records, newest first; those of the same millisecond are in the
// order of their session ids. The caller holds mu.
func (s *Store) byOwner(vendorData string) (owned []verification.Record) {
	for _, r := range s.records {
		if r.VendorData == vendorData {
			owned = append(owned, r)
		}
	}
	slices.SortFunc(owned, func(a, b verification.Record) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.SessionID, b.SessionID)
	})
	return owned
}
