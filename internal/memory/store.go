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
// shares no memory with its callers. Like the table, it stores times to the millisecond and in UTC.
// Nothing expires. Its methods fail only if their context has ended.
//
// The zero value is empty and ready to use. It is safe for concurrent use and must not be copied.
type Store struct {
	mu      sync.Mutex
	records map[string]verification.Record
	tokens  map[string][]string // of waiting tasks, by session and in the order of their arrival
	taken   map[time.Time]int   // reads by minute
	added   int64               // how many records were ever new
}

var _ verification.Store = (*Store)(nil)

// Add stores the record of a session, or confirms the stored one.
func (s *Store) Add(ctx context.Context, r verification.Record) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := clone(r)
	if stored, ok := s.records[r.SessionID]; ok {
		fillIn(&stored, next)
		stored.CheckedAt = next.CheckedAt
		if stored.DueFrom.IsZero() {
			stored.DueFrom = next.DueFrom
		}
		next = stored
	} else {
		// Far from the versions of other records, so that a record that was removed and added again
		// does not match the version that was read before.
		s.added++
		next.Version = s.added << 32
	}
	s.put(next)
	return nil
}

// Session returns a copy of the session's record, and whether there is one.
func (s *Store) Record(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	if err := contextError(ctx); err != nil {
		return verification.Record{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[sessionID]
	return clone(r), ok, nil
}

// Replace writes the record if it is the latest version, and reports whether it did.
func (s *Store) Replace(ctx context.Context, r verification.Record) (bool, error) {
	if err := contextError(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.records[r.SessionID]
	if !ok || stored.Version != r.Version {
		return false, nil
	}
	next := clone(r)
	next.Version, next.CreatedAt = stored.Version, stored.CreatedAt
	next.VendorData, next.WorkflowID = stored.VendorData, stored.WorkflowID
	fillIn(&next, r)
	s.put(next)
	return true, nil
}

// Remove deletes the record if it is the latest version, and reports whether it did.
func (s *Store) Remove(ctx context.Context, r verification.Record) (bool, error) {
	if err := contextError(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.records[r.SessionID]
	if !ok || stored.Version != r.Version {
		return false, nil
	}
	delete(s.records, r.SessionID)
	return true, nil
}

// ByOwner returns copies of an end user's latest records, newest first and at most limit; records
// of the same millisecond are in the order of their session ids. Records without vendor data have
// no owner.
func (s *Store) ByOwner(ctx context.Context, vendorData string, limit int) ([]verification.Record, error) {
	if err := contextError(ctx); err != nil || vendorData == "" {
		return nil, err
	}
	return s.list(limit, func(r verification.Record) bool { return r.VendorData == vendorData },
		func(a, b verification.Record) int { return b.CreatedAt.Compare(a.CreatedAt) }), nil
}

// Due returns the ids of the sessions that are due at the time, oldest first and at most limit.
func (s *Store) Due(ctx context.Context, from time.Time, limit int) ([]string, error) {
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	due := s.list(limit, func(r verification.Record) bool { return !r.DueFrom.IsZero() && !r.DueFrom.After(from) },
		func(a, b verification.Record) int { return a.DueFrom.Compare(b.DueFrom) })
	var ids []string
	for _, r := range due {
		ids = append(ids, r.SessionID)
	}
	return ids, nil
}

// budgetRetention is how long the reads of a minute are counted.
const budgetRetention = time.Hour

// TakeReadBudget takes one of the minute's limit of reads, and reports whether one was left.
func (s *Store) TakeReadBudget(ctx context.Context, at time.Time, limit int) (bool, error) {
	if err := contextError(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := at.UTC().Truncate(time.Minute)
	if s.taken[minute] >= limit {
		return false, nil
	}
	if s.taken == nil {
		s.taken = make(map[time.Time]int)
	}
	maps.DeleteFunc(s.taken, func(m time.Time, _ int) bool { return minute.Sub(m) > budgetRetention })
	s.taken[minute]++
	return true, nil
}

// put stores the record with the next version. The caller holds mu.
func (s *Store) put(r verification.Record) {
	r.Version++
	if s.records == nil {
		s.records = make(map[string]verification.Record)
	}
	s.records[r.SessionID] = r
}

// list returns copies of the records that match, sorted and at most limit.
func (s *Store) list(limit int, match func(verification.Record) bool, order func(a, b verification.Record) int) []verification.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []verification.Record
	for _, r := range s.records {
		if match(r) {
			found = append(found, clone(r))
		}
	}
	slices.SortFunc(found, func(a, b verification.Record) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return strings.Compare(a.SessionID, b.SessionID)
	})
	return found[:max(0, min(limit, len(found)))]
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
	for _, at := range []*time.Time{&r.StatusAt, &r.CreatedAt, &r.CheckedAt, &r.DueFrom} {
		*at = at.UTC().Truncate(time.Millisecond)
	}
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
