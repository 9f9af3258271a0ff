package memory

import (
	"context"
	"iter"

	"didit-sessions/internal/verification"
)

// Owned lists the sessions of an end user, newest first; like the table's, the list also shows what
// has expired.
func (s *Store) Owned(ctx context.Context, vendorData string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.lock(ctx); err != nil {
			yield("", err)
			return
		}
		owned := s.byOwner(vendorData)
		if s.lagging != nil {
			owned = s.lagging.owned[vendorData]
		}
		s.mu.Unlock()
		for _, r := range owned {
			if vendorData != "" && !yield(r.SessionID, nil) {
				return
			}
		}
	}
}

// MarkErased marks the session as erased, whatever its record is, unless it is another owner's.
func (s *Store) MarkErased(ctx context.Context, r verification.Record) (marked, gone bool, err error) {
	if err := s.lock(ctx); err != nil {
		return false, false, err
	}
	defer s.mu.Unlock()
	stored, ok := s.records[r.SessionID]
	if stored.VendorData != "" && stored.VendorData != r.VendorData {
		return false, false, nil
	}
	if !ok {
		s.added++
		stored.Version = s.added << 32
	}
	gone = stored.Gone
	next := verification.Record{
		SessionID: r.SessionID, VendorData: r.VendorData, CreatedAt: stored.CreatedAt, News: stored.News + 1,
		Erased: true, Gone: gone || r.Gone, Expires: r.Expires, Version: stored.Version,
	}
	if next.CreatedAt.IsZero() {
		next.CreatedAt = r.CreatedAt
	}
	delete(s.spoilt, r.SessionID)
	s.put(clone(next))
	return true, gone, nil
}

// Strip removes all of an erased session's record but that it is erased, and when it expires.
func (s *Store) Strip(ctx context.Context, sessionID string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if r := s.records[sessionID]; r.Erased {
		s.records[sessionID] = verification.Record{SessionID: sessionID, Erased: true, Expires: r.Expires}
	}
	return nil
}
