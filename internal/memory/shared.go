package memory

import (
	"context"
	"time"
)

// sharedToken is an access token that functions share.
type sharedToken struct {
	sealed string
	asked  time.Time
}

// SharedToken returns the sealed access token of that name, and the empty string for none.
func (s *Store) SharedToken(ctx context.Context, name string) (string, error) {
	if err := s.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	return s.shared[name].sealed, nil
}

// ShareToken stores a sealed access token, unless the stored one was requested at the same time or
// later and is not instead.
func (s *Store) ShareToken(ctx context.Context, name, sealed, instead string, asked, _ time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if stored, ok := s.shared[name]; ok && !stored.asked.Before(asked.Truncate(time.Millisecond)) && stored.sealed != instead {
		return nil
	}
	if s.shared == nil {
		s.shared = make(map[string]sharedToken)
	}
	s.shared[name] = sharedToken{sealed, asked.Truncate(time.Millisecond)}
	return nil
}
