package verificationtest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// enroll ensures that a session becomes awaited and due, whatever it was, and that nothing else
// changes.
func enroll(t *testing.T, s Store) {
	at := recent()
	placeholder := func(n int) verification.Record {
		r := verification.NewRecord(sessionID(n), "", "", verification.StatusNotStarted, at.Add(time.Minute))
		r.Expires = at.Add(500 * 24 * time.Hour).Truncate(time.Second)
		return r
	}
	_, known, err := s.Enroll(t.Context(), placeholder(0))
	if known || err != nil {
		t.Errorf("not on record: got known %v, error %v, want neither", known, err)
	}
	want := placeholder(0)
	want.Awaited = true
	wantRecord(t, "not on record", stored(t, s, 0), want)

	final := full(2, at)
	final.Status, final.Awaited, final.DueFrom, final.DoubtAt = verification.StatusApproved, false, time.Time{}, time.Time{}
	late := full(3, at)
	late.Expires = at.Add(1000 * 24 * time.Hour).Truncate(time.Second)
	for n, r := range []verification.Record{newRecord(1, at), final, late} {
		n++
		add(t, s, r)
		before := stored(t, s, n)
		was, known, err := s.Enroll(t.Context(), placeholder(n))
		if !known || err != nil || was.Version != before.Version {
			t.Errorf("%d: got version %d, known %v, error %v, want version %d", n, was.Version, known, err, before.Version)
		}
		wantRecord(t, "returned", was, r)
		want := r
		want.Awaited, want.Expires = true, placeholder(n).Expires
		if want.DueFrom.IsZero() {
			want.DueFrom = placeholder(n).DueFrom
		}
		after := stored(t, s, n)
		wantRecord(t, "enrolled", after, want)
		if after.Version != before.Version+1 {
			t.Errorf("%d: version was %d and is %d, want it to grow by one", n, before.Version, after.Version)
		}
		var listed []string
		for class := range verification.ClassOther + 1 {
			due, err := ids(s.Due(t.Context(), class, at.Add(24*time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, due...)
		}
		if !slices.Contains(listed, sessionID(n)) {
			t.Errorf("%d: got due %q, want the session among them", n, listed)
		}
	}
}

// enrollConcurrent ensures that registering never loses to other writers.
func enrollConcurrent(t *testing.T, s Store) {
	const tasks = 300
	at := recent()
	add(t, s, newRecord(1, at))
	var all sync.WaitGroup
	for i := range tasks {
		all.Go(func() {
			if err := s.AddToken(t.Context(), sessionID(1), fmt.Sprint(i)); err != nil {
				t.Errorf("AddToken: %v", err)
			}
			if _, known, err := s.Enroll(t.Context(), newRecord(1, at)); !known || err != nil {
				t.Errorf("Enroll: got known %v, error %v", known, err)
			}
		})
	}
	all.Wait()
	if tokens, err := s.Tokens(t.Context(), sessionID(1)); len(tokens) != tasks || err != nil {
		t.Errorf("got %d tokens, error %v, want %d", len(tokens), err, tasks)
	}
	if r := stored(t, s, 1); !r.Awaited {
		t.Error("got a record that is not awaited")
	}
}

func wantClaim(t *testing.T, s Store, n int, at time.Time, want bool) {
	t.Helper()
	r, ok, err := s.Claim(t.Context(), sessionID(n), at, time.Minute)
	if ok != want || err != nil || ok && !r.ReadAt.Equal(at) {
		t.Errorf("claim at %v: got %v at %v, error %v, want %v", at, ok, r.ReadAt, err, want)
	}
}

// claim ensures that a session is read once in a minute, and that a claim changes nothing else and
// is not lost to other writes.
func claim(t *testing.T, s Store) {
	at := recent()
	wantClaim(t, s, 1, at, false)
	if _, ok, err := s.Record(t.Context(), sessionID(1)); ok || err != nil {
		t.Errorf("a claim of what is not on record: got record %v, error %v", ok, err)
	}
	want := full(1, at)
	add(t, s, want)
	before := stored(t, s, 1)
	wantClaim(t, s, 1, at, true)
	wantClaim(t, s, 1, at.Add(time.Minute-time.Millisecond), false)
	want.ReadAt = at
	after := stored(t, s, 1)
	wantRecord(t, "claimed", after, want)
	if after.Version != before.Version {
		t.Errorf("version was %d and is %d after a claim, want no change", before.Version, after.Version)
	}
	replace(t, s, before, true) // as read before the claim
	wantClaim(t, s, 1, at.Add(59*time.Second), false)
	add(t, s, newRecord(1, at))
	wantClaim(t, s, 1, at.Add(59*time.Second), false)
	wantClaim(t, s, 1, at.Add(time.Minute), true)
	if r, ok, err := s.Claim(t.Context(), sessionID(1), at.Add(3*time.Minute), 2*time.Minute); !ok || err != nil || r.Version != stored(t, s, 1).Version {
		t.Errorf("after a longer pause: got %v, version %d, error %v, want a claim", ok, r.Version, err)
	}
}

// claimConcurrent ensures that of many readers one reads.
func claimConcurrent(t *testing.T, s Store) {
	at := recent()
	add(t, s, newRecord(1, at))
	var claims atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, ok, err := s.Claim(t.Context(), sessionID(1), at.Add(time.Duration(i)*time.Second), time.Minute)
			if err != nil {
				t.Errorf("Claim: %v", err)
			}
			if ok {
				claims.Add(1)
			}
		})
	}
	all.Wait()
	if got := claims.Load(); got != 1 {
		t.Errorf("got %d claims, want 1", got)
	}
}
