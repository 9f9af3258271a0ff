package memory

import (
	"context"
	"slices"
)

// AddToken stores a token. Storing it again changes nothing.
func (s *Store) AddToken(ctx context.Context, sessionID, token string) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.tokens[sessionID], token) {
		return nil
	}
	if s.tokens == nil {
		s.tokens = make(map[string][]string)
	}
	s.tokens[sessionID] = append(s.tokens[sessionID], token)
	return nil
}

// Tasks returns the tokens that are stored for the session, in the order of their arrival.
func (s *Store) Tokens(ctx context.Context, sessionID string) ([]string, error) {
	if err := contextError(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens[sessionID]), nil
}

// RemoveToken deletes a token.
func (s *Store) RemoveToken(ctx context.Context, sessionID, token string) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.tokens[sessionID], func(t string) bool { return t == token })
	if len(left) == 0 {
		delete(s.tokens, sessionID)
		return nil
	}
	s.tokens[sessionID] = left
	return nil
}
