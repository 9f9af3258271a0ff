package memory

import (
	"context"
	"slices"
)

// AddTask stores a token, once.
func (s *Store) AddTask(ctx context.Context, sessionID, token string) error {
	if err := over(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.tasks[sessionID], token) {
		return nil
	}
	if s.tasks == nil {
		s.tasks = make(map[string][]string)
	}
	s.tasks[sessionID] = append(s.tasks[sessionID], token)
	return nil
}

// Tasks returns the tokens that were stored for the session, in the order of their arrival.
func (s *Store) Tasks(ctx context.Context, sessionID string) ([]string, error) {
	if err := over(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tasks[sessionID]), nil
}

// RemoveTask forgets a token.
func (s *Store) RemoveTask(ctx context.Context, sessionID, token string) error {
	if err := over(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.tasks[sessionID], func(t string) bool { return t == token })
	if len(left) == 0 {
		delete(s.tasks, sessionID)
		return nil
	}
	s.tasks[sessionID] = left
	return nil
}
