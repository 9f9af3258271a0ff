// Package memory holds the in-memory twins of the AWS services behind the domain, for local use and
// tests. What it keeps is gone when the process ends.
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

// Store is a [verification.Store] in memory. It shares nothing with its callers: records are copied
// on their way in and out. Times are kept to the millisecond and in UTC, as the table keeps them;
// nothing expires. Its errors are those of a context that is over.
//
// The zero value is empty and ready to use. It is safe for concurrent use and must not be copied.
type Store struct {
	mu      sync.Mutex
	records map[string]verification.Record
	tasks   map[string][]string // tokens by session, in the order of their arrival
	taken   map[time.Time]int   // reads by minute
	added   int64               // records that were ever new
}

var _ verification.Store = (*Store)(nil)

// Add puts a session on record, or confirms what is there.
func (s *Store) Add(ctx context.Context, r verification.Record) error {
	if err := over(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := copied(r)
	if stored, ok := s.records[r.SessionID]; ok {
		fillIn(&stored, next)
		stored.CheckedAt = next.CheckedAt
		if stored.DueFrom.IsZero() {
			stored.DueFrom = next.DueFrom
		}
		next = stored
	} else {
		// Far from the versions of every other, so that a record that was removed and added again
		// is not taken for the one that was read.
		s.added++
		next.Version = s.added << 32
	}
	s.put(next)
	return nil
}

// Session returns a copy of the record, and whether there is one.
func (s *Store) Session(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	if err := over(ctx); err != nil {
		return verification.Record{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[sessionID]
	return copied(r), ok, nil
}

// Replace writes the record if it is the latest version, and reports whether it did.
func (s *Store) Replace(ctx context.Context, r verification.Record) (bool, error) {
	if err := over(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.records[r.SessionID]
	if !ok || stored.Version != r.Version {
		return false, nil
	}
	next := copied(r)
	next.Version, next.CreatedAt = stored.Version, stored.CreatedAt
	next.VendorData, next.WorkflowID = stored.VendorData, stored.WorkflowID
	fillIn(&next, r)
	s.put(next)
	return true, nil
}

// Remove takes the record away if it is the latest version, and reports whether it did.
func (s *Store) Remove(ctx context.Context, r verification.Record) (bool, error) {
	if err := over(ctx); err != nil {
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

// ByOwner returns copies of an end user's latest records, newest first; of records of the same
// millisecond, by session id. Nobody owns records without vendor data.
func (s *Store) ByOwner(ctx context.Context, vendorData string, most int) ([]verification.Record, error) {
	if err := over(ctx); err != nil || vendorData == "" {
		return nil, err
	}
	return s.list(most, func(r verification.Record) bool { return r.VendorData == vendorData },
		func(a, b verification.Record) int { return b.CreatedAt.Compare(a.CreatedAt) }), nil
}

// Due returns the ids of the sessions that are due at the time, oldest first.
func (s *Store) Due(ctx context.Context, from time.Time, most int) ([]string, error) {
	if err := over(ctx); err != nil {
		return nil, err
	}
	due := s.list(most, func(r verification.Record) bool { return !r.DueFrom.IsZero() && !r.DueFrom.After(from) },
		func(a, b verification.Record) int { return a.DueFrom.Compare(b.DueFrom) })
	var ids []string
	for _, r := range due {
		ids = append(ids, r.SessionID)
	}
	return ids, nil
}

// readMemory is how long the reads of a minute are remembered.
const readMemory = time.Hour

// TakeRead takes one of the reads of the time's minute.
func (s *Store) TakeRead(ctx context.Context, at time.Time, most int) (bool, error) {
	if err := over(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := at.UTC().Truncate(time.Minute)
	if s.taken[minute] >= most {
		return false, nil
	}
	if s.taken == nil {
		s.taken = make(map[time.Time]int)
	}
	maps.DeleteFunc(s.taken, func(m time.Time, _ int) bool { return minute.Sub(m) > readMemory })
	s.taken[minute]++
	return true, nil
}

// put stores the record as the version after its own. The caller holds mu.
func (s *Store) put(r verification.Record) {
	r.Version++
	if s.records == nil {
		s.records = make(map[string]verification.Record)
	}
	s.records[r.SessionID] = r
}

// list returns copies of the first records, in that order, that belong to it.
func (s *Store) list(most int, belongs func(verification.Record) bool, order func(a, b verification.Record) int) []verification.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []verification.Record
	for _, r := range s.records {
		if belongs(r) {
			found = append(found, copied(r))
		}
	}
	slices.SortFunc(found, func(a, b verification.Record) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return strings.Compare(a.SessionID, b.SessionID)
	})
	return found[:max(0, min(most, len(found)))]
}

// fillIn gives r what it does not know of its owner and workflow.
func fillIn(r *verification.Record, from verification.Record) {
	if r.VendorData == "" {
		r.VendorData = from.VendorData
	}
	if r.WorkflowID == "" {
		r.WorkflowID = from.WorkflowID
	}
}

// copied shares no memory with r.
func copied(r verification.Record) verification.Record {
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

// over is the error of a context that is over: the real store is out of reach then.
func over(ctx context.Context) error {
	if ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the store is out of reach")
	}
	return nil
}
