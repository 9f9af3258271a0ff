package memory_test

import (
	"testing"
	"time"

	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	verificationtest.TestStore(t, func(*testing.T) verificationtest.Store {
		s := new(memory.Store)
		return verificationtest.Store{Store: s, Spoil: func(_ *testing.T, id string) { s.Spoil(id) }}
	})
}

// Ensure that the counts of past minutes do not pile up, and that the last hour's stay.
func TestStore_TakeRead_pastMinutes(t *testing.T) {
	t.Parallel()
	s := new(memory.Store)
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for minutes, want := range []bool{true, true, true} {
		if got, err := s.TakeReadBudget(t.Context(), verification.ReaderGet, start.Add(time.Duration(minutes)*30*time.Minute), 1); got != want || err != nil {
			t.Errorf("after %d half hours: got %v, error %v, want %v", minutes, got, err, want)
		}
	}
	if got, err := s.TakeReadBudget(t.Context(), verification.ReaderGet, start.Add(30*time.Minute), 1); got || err != nil {
		t.Errorf("a minute of the last hour: got %v, error %v, want its reads taken", got, err)
	}
}
