package memory

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"didit-sessions/internal/verification"
)

// ByOwner returns copies of an end user's latest records, newest first and at most limit; records
// of the same millisecond are in the order of their session ids. Records without vendor data have
// no owner.
func (s *Store) ByOwner(ctx context.Context, vendorData string, limit int) (listed []verification.Record, err error) {
	if vendorData == "" {
		return nil, contextError(ctx)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, r := range s.owned(vendorData) {
		r, ok := s.live(r.SessionID)
		if ok && !r.Erased && !s.spoilt[r.SessionID] && r.VendorData == vendorData && len(listed) < limit {
			listed = append(listed, clone(r))
		}
	}
	return listed, nil
}

// Latest returns what the list of an end user's latest sessions shows of them, as the index of the
// table does.
func (s *Store) Latest(ctx context.Context, vendorData string, limit int) (listed []verification.Record, err error) {
	if vendorData == "" {
		return nil, contextError(ctx)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	owned := s.owned(vendorData)
	for _, r := range owned[:min(len(owned), limit)] {
		if r.Erased {
			continue
		}
		listed = append(listed, clone(verification.Record{SessionID: r.SessionID, VendorData: r.VendorData,
			WorkflowID: r.WorkflowID, Status: r.Status, CreatedAt: r.CreatedAt, UnknownReads: r.UnknownReads}))
	}
	return listed, nil
}

// owned returns the list of an end user's records. The caller holds mu.
func (s *Store) owned(vendorData string) []verification.Record {
	if s.lagging != nil {
		return s.lagging.owned[vendorData]
	}
	return s.byOwner(vendorData)
}

// Due lists the sessions of a class that are due at the time, the longest due first. Like the
// table, it reads the list page by page, of an hour each, and also lists what has expired.
func (s *Store) Due(ctx context.Context, class verification.Class, now time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for last := int64(math.MinInt64); ; {
			page, hour, err := s.page(ctx, class, last, now)
			if err != nil {
				yield("", err)
				return
			}
			if len(page) == 0 {
				return
			}
			last = hour
			for _, id := range page {
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// page returns what is due in the first hour after the last one, and that hour.
func (s *Store) page(ctx context.Context, class verification.Class, last int64, now time.Time) ([]string, int64, error) {
	if err := s.lock(ctx); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	from := &s.due
	if s.lagging != nil {
		from = &s.lagging.due
	}
	page, hour := from.after(class, last, now)
	return page, hour, nil
}

// dueIndex lists the sessions that are due, by class and hour. The zero value is empty. It is not
// safe for concurrent use.
type dueIndex struct {
	hours [verification.ClassOther + 1]map[int64]map[string]time.Time
}

func hour(t time.Time) int64 { return t.Unix() / 3600 }

func (x *dueIndex) add(r verification.Record) {
	if r.DueFrom.IsZero() {
		return
	}
	hours := &x.hours[r.Class()]
	if *hours == nil {
		*hours = make(map[int64]map[string]time.Time)
	}
	ids := (*hours)[hour(r.DueFrom)]
	if ids == nil {
		ids = make(map[string]time.Time)
		(*hours)[hour(r.DueFrom)] = ids
	}
	ids[r.SessionID] = r.DueFrom
}

func (x *dueIndex) remove(r verification.Record) {
	ids := x.hours[r.Class()][hour(r.DueFrom)]
	if delete(ids, r.SessionID); len(ids) == 0 {
		delete(x.hours[r.Class()], hour(r.DueFrom))
	}
}

func (x *dueIndex) clone() (other dueIndex) {
	for class, hours := range x.hours {
		other.hours[class] = make(map[int64]map[string]time.Time)
		for hour, ids := range hours {
			other.hours[class][hour] = maps.Clone(ids)
		}
	}
	return other
}

// after returns the ids of the class that are due at the time, of the first hour after the last one
// that has any, and that hour.
func (x *dueIndex) after(class verification.Class, last int64, now time.Time) (page []string, first int64) {
	first = math.MaxInt64
	for h := range x.hours[class] {
		if h > last && h < first {
			first = h
		}
	}
	ids := x.hours[class][first]
	for id, at := range ids {
		if !at.After(now) {
			page = append(page, id)
		}
	}
	slices.SortFunc(page, func(a, b string) int { return cmp.Or(ids[a].Compare(ids[b]), cmp.Compare(a, b)) })
	return page, first
}

// lists is what the lists of a store show.
type lists struct {
	owned   map[string][]verification.Record
	due     dueIndex
	records map[string]verification.Record // as RecentRecord returns them
}

// Lag makes lists and RecentRecord show for ever what they show now, as DynamoDB's indexes and
// eventually consistent reads do for a moment; with false they show what there is again.
func (s *Store) Lag(lag bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lagging = nil; !lag {
		return
	}
	s.lagging = &lists{owned: map[string][]verification.Record{}, due: s.due.clone(), records: maps.Clone(s.records)}
	for _, r := range s.records {
		s.lagging.owned[r.VendorData] = nil
	}
	for owner := range s.lagging.owned {
		s.lagging.owned[owner] = s.byOwner(owner)
	}
}

// Conflict disturbs the next n writes that have a condition: another writer is first.
func (s *Store) Conflict(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conflicts = n
}

// disturbed reports whether this write is to be disturbed. The caller holds mu.
func (s *Store) disturbed() bool {
	if s.conflicts == 0 {
		return false
	}
	s.conflicts--
	return true
}

// Spoil makes the record of a session unreadable, as if another program had written it.
func (s *Store) Spoil(sessionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spoilt == nil {
		s.spoilt = make(map[string]bool)
	}
	s.spoilt[sessionID] = true
}
