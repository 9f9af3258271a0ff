package verificationtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// maxToken is the length of the longest task token in characters (AWS Step Functions:
// SendTaskSuccess).
const maxToken = 2048

func addToken(t *testing.T, s Store, n int, token string) {
	t.Helper()
	if err := s.AddToken(t.Context(), sessionID(n), token); err != nil {
		t.Fatalf("AddToken: %v", err)
	}
}

func removeToken(t *testing.T, s Store, n int, token string) {
	t.Helper()
	if err := s.RemoveToken(t.Context(), sessionID(n), token); err != nil {
		t.Fatalf("RemoveToken: %v", err)
	}
}

// wantTokens compares the tokens of a session in any order.
func wantTokens(t *testing.T, s Store, n int, want ...string) {
	t.Helper()
	got, err := s.Tokens(t.Context(), sessionID(n))
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens of session %d: got %d %.200q, error %v, want %d %.200q", n, len(got), got, err, len(want), want)
	}
}

// tokens ensures that tokens are kept by session, each once, and removed one by one.
func tokens(t *testing.T, s Store) {
	for n := range 2 {
		add(t, s, newRecord(n, recent()))
	}
	wantTokens(t, s, 0)
	addToken(t, s, 0, "AAAA/+=b")
	addToken(t, s, 0, "another")
	addToken(t, s, 1, "another")
	addToken(t, s, 0, "AAAA/+=b")
	wantTokens(t, s, 0, "AAAA/+=b", "another")
	wantTokens(t, s, 1, "another")
	removeToken(t, s, 0, "another")
	removeToken(t, s, 0, "another")
	wantTokens(t, s, 0, "AAAA/+=b")
	wantTokens(t, s, 1, "another")
	removeToken(t, s, 0, "AAAA/+=b")
	wantTokens(t, s, 0)
	removeToken(t, s, 7, "unknown")
	addToken(t, s, 0, "another")
	wantTokens(t, s, 0, "another")
	// Records and tokens do not depend on each other.
	removeRecord(t, s, stored(t, s, 0), true)
	wantTokens(t, s, 0, "another")
	removeToken(t, s, 1, "another")
	stored(t, s, 1)
}

// tokensLong ensures that tokens are eventText apart to the last of their characters.
func tokensLong(t *testing.T, s Store) {
	var want []string
	for _, last := range []string{"a", "b", "A"} {
		want = append(want, strings.Repeat("x", maxToken-1)+last)
		addToken(t, s, 1, want[len(want)-1])
	}
	want = append(want, strings.Repeat("x", maxToken-1), "x")
	addToken(t, s, 1, want[3])
	addToken(t, s, 1, want[4])
	wantTokens(t, s, 1, want...)
	removeToken(t, s, 1, want[0])
	wantTokens(t, s, 1, want[1:]...)
}

func tokensWithoutRecord(t *testing.T, s Store) {
	addToken(t, s, 1, "token")
	wantTokens(t, s, 1, "token")
	add(t, s, newRecord(1, recent()))
	wantTokens(t, s, 1, "token")
	wantDue(t, s, unread, time.Now(), 1)
	wantOwned(t, s, owner, 10, 1)
}

func tokensConcurrent(t *testing.T, s Store) {
	var all sync.WaitGroup
	var want []string
	for i := range 20 {
		token := fmt.Sprintf("token-%d", i%10)
		if i < 10 && i%2 == 0 {
			want = append(want, token)
		}
		all.Go(func() {
			if err := s.AddToken(t.Context(), sessionID(1), token); err != nil {
				t.Errorf("AddToken: %v", err)
			}
		})
	}
	all.Wait()
	for i := range 20 {
		if i%2 == 0 {
			continue
		}
		all.Go(func() {
			if err := s.RemoveToken(t.Context(), sessionID(1), fmt.Sprintf("token-%d", i%10)); err != nil {
				t.Errorf("RemoveToken: %v", err)
			}
		})
	}
	all.Wait()
	wantTokens(t, s, 1, want...)
}

// takeReadBudget ensures that every reader and every minute has its own budget.
func takeReadBudget(t *testing.T, s Store) {
	const get = verification.ReaderGet
	minute := time.Now().UTC().Truncate(time.Minute)
	for i, test := range []struct {
		reader verification.Reader
		at     time.Time
		most   int
		want   bool
	}{
		{get, minute, 0, false},
		{get, minute, -1, false},
		{get, minute, 2, true},
		{get, minute.Add(time.Minute - time.Millisecond), 2, true},
		{get, minute.Add(30 * time.Second), 2, false},
		{get, minute.Add(30 * time.Second).In(time.FixedZone("elsewhere", 5400)), 2, false},
		{get, minute.Add(time.Minute), 2, true},
		{get, minute, 2, false},
		{get, minute, 3, true},
		{get, minute, 1, false},
		{get, minute.Add(time.Hour), 1, true},
		{get, minute.Add(time.Hour), 1, false},
		{verification.ReaderReconcile, minute, 1, true},
		{verification.ReaderReconcile, minute, 1, false},
	} {
		if got, err := s.TakeReadBudget(t.Context(), test.reader, test.at, test.most); err != nil || got != test.want {
			t.Errorf("%d: one of %d at %v: got %v, error %v, want %v", i, test.most, test.at, got, err, test.want)
		}
	}
}

// takeReadBudgetConcurrent ensures that concurrent callers do not take more than the budget.
func takeReadBudgetConcurrent(t *testing.T, s Store) {
	const callers, most = 50, 30
	minute := time.Now().UTC().Truncate(time.Minute)
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			ok, err := s.TakeReadBudget(t.Context(), verification.ReaderGet, minute.Add(time.Duration(i)*time.Second), most)
			if err != nil {
				t.Errorf("TakeReadBudget: %v", err)
			}
			if ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if got := taken.Load(); got != most {
		t.Errorf("%d callers took %d reads, want %d", callers, got, most)
	}
}
