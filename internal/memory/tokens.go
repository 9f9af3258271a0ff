package memory

import (
	"context"
	"slices"
	"time"

	"didit-sessions/internal/verification"
)

// token is the token of a waiting task.
type token struct {
	text    string
	expires time.Time
}

// AddToken stores a token. Storing it again only makes it expire later.
func (s *Store) AddToken(ctx context.Context, sessionID, text string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	added := token{text, s.now().Add(verification.TaskRetention)}
	if i := slices.IndexFunc(s.tokens[sessionID], func(t token) bool { return t.text == text }); i >= 0 {
		s.tokens[sessionID][i] = added
		return nil
	}
	if s.tokens == nil {
		s.tokens = make(map[string][]token)
	}
	s.tokens[sessionID] = append(s.tokens[sessionID], added)
	return nil
}

// Tokens returns the tokens that are stored for the session, in the order of their arrival.
func (s *Store) Tokens(ctx context.Context, sessionID string) (texts []string, err error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, t := range s.tokens[sessionID] {
		if !s.expired(t.expires) {
			texts = append(texts, t.text)
		}
	}
	return texts, nil
}

// RemoveToken deletes a token.
func (s *Store) RemoveToken(ctx context.Context, sessionID, text string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.tokens[sessionID], func(t token) bool { return t.text == text })
	if len(left) == 0 {
		delete(s.tokens, sessionID)
		return nil
	}
	s.tokens[sessionID] = left
	return nil
}
