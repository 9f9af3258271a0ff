package verificationtest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// addExpiry ensures that adding does not shorten the life of a record.
func addExpiry(t *testing.T, s Store) {
	at := recent()
	early, late := at.Add(24*time.Hour).Truncate(time.Second), at.Add(72*time.Hour).Truncate(time.Second)
	for n, test := range []struct{ was, added, want time.Time }{{early, late, late}, {late, early, late}, {late, late, late}} {
		r := newRecord(n, at)
		r.Expires = test.was
		add(t, s, r)
		r.Expires, r.CheckedAt = test.added, at.Add(time.Minute)
		_, known, err := s.Add(t.Context(), r)
		if !known || err != nil {
			t.Errorf("added again: got known %v, error %v", known, err)
		}
		if got := stored(t, s, n); !got.Expires.Equal(test.want) || !got.CheckedAt.Equal(r.CheckedAt) {
			t.Errorf("expires at %v, added with %v: got %v, confirmed at %v, want %v", test.was, test.added, got.Expires, got.CheckedAt, test.want)
		}
	}
}

// past returns a record that has expired.
func past(n int) verification.Record {
	r := full(n, recent())
	r.Expires, r.ReadAt = time.Now().Add(-time.Minute).Truncate(time.Second).UTC(), time.Time{}
	return r
}

// addExpired ensures that what has expired is replaced, and only stays awaited.
func addExpired(t *testing.T, s Store) {
	at := recent()
	for n, awaited := range []bool{false, true} {
		for i, put := range []func(verification.Record) (verification.Record, bool, error){
			func(r verification.Record) (verification.Record, bool, error) { return s.Add(t.Context(), r) },
			func(r verification.Record) (verification.Record, bool, error) { return s.Enroll(t.Context(), r) },
		} {
			n := 2*n + i
			old := past(n)
			old.Awaited = awaited
			expires := old.Expires
			old.Expires = time.Time{}
			add(t, s, old)
			wantClaim(t, s, n, at, true)
			old = stored(t, s, n)
			old.Expires = expires
			replace(t, s, old, true)
			r := verification.NewRecord(sessionID(n), otherOwner, otherWorkflow, verification.StatusInProgress, at)
			if _, known, err := put(r); known || err != nil {
				t.Errorf("%d: got known %v, error %v, want neither", n, known, err)
			}
			want := r
			want.Awaited = awaited || i == 1
			wantRecord(t, "revived", stored(t, s, n), want)
			wantClaim(t, s, n, at, true)
		}
	}
}

// expired ensures that a record that has expired counts as absent, and lists go on behind it.
func expired(t *testing.T, s Store) {
	at := recent()
	for n := range 3 {
		r := past(n)
		r.CreatedAt, r.DueFrom = time.Now().Add(-time.Duration(n)*time.Second).UTC(), at.Add(time.Duration(n-3)*time.Second)
		add(t, s, r)
	}
	live := newRecord(3, at)
	live.Expires = time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	add(t, s, live)
	if r, ok, err := s.Record(t.Context(), sessionID(0)); ok || err != nil || !reflect.DeepEqual(r, verification.Record{}) {
		t.Errorf("Record: got %v, %v, error %v, want none", r, ok, err)
	}
	if r, ok, err := s.RecentRecord(t.Context(), sessionID(0)); ok || err != nil || !reflect.DeepEqual(r, verification.Record{}) {
		t.Errorf("RecentRecord: got %v, %v, error %v, want none", r, ok, err)
	}
	wantClaim(t, s, 0, at, false)
	for version := range int64(3) {
		r := past(0)
		r.Version = version
		replace(t, s, r, false)
		removeRecord(t, s, r, false)
	}
	wantOwned(t, s, owner, 1, 3)
	wantDue(t, s, unread, time.Now(), 0, 1, 2, 3) // the caller reads each
}

// unreadable ensures that a record that cannot be decoded has its own error and hides no other.
func unreadable(t *testing.T, s Store) {
	at := recent()
	for n := range 3 {
		add(t, s, newRecord(n, at.Add(time.Duration(n)*time.Second)))
	}
	s.Spoil(t, sessionID(1))
	if r, ok, err := s.Record(t.Context(), sessionID(1)); ok || !errors.Is(err, verification.ErrUnreadable) {
		t.Errorf("Record: got %v, %v, error %v, want ErrUnreadable", r, ok, err)
	}
	if r, ok, err := s.RecentRecord(t.Context(), sessionID(1)); ok || !errors.Is(err, verification.ErrUnreadable) {
		t.Errorf("RecentRecord: got %v, %v, error %v, want ErrUnreadable", r, ok, err)
	}
	if _, ok, err := s.Claim(t.Context(), sessionID(1), at, time.Minute); ok || !errors.Is(err, verification.ErrUnreadable) {
		t.Errorf("Claim: got %v, error %v, want ErrUnreadable", ok, err)
	}
	wantOwned(t, s, owner, 10, 2, 0)
	wantDue(t, s, unread, time.Now(), 0, 1, 2)
}

// dueClasses ensures that a session is listed in the class of its record, and in no other.
func dueClasses(t *testing.T, s Store) {
	at := recent()
	for n, test := range []struct {
		change func(*verification.Record)
		want   verification.Class
	}{
		{func(*verification.Record) {}, verification.ClassUnread},
		{func(r *verification.Record) { r.Unread = false }, verification.ClassOther},
		{func(r *verification.Record) { r.Unread, r.Awaited = false, true }, verification.ClassAwaited},
		{func(r *verification.Record) { r.Awaited = true }, verification.ClassUnread},
		{func(r *verification.Record) { r.Status, r.Awaited = verification.StatusApproved, true }, verification.ClassTasks},
		{func(r *verification.Record) { r.Status, r.Awaited = verification.StatusApproved, false }, verification.ClassUnread},
	} {
		for _, replaced := range []bool{false, true} {
			n, r := 2*n, newRecord(2*n, at)
			if replaced {
				n++
				r = newRecord(n, at)
				r.Unread = false
				add(t, s, r)
				r = stored(t, s, n)
				r.Unread = true
			}
			test.change(&r)
			if replaced {
				replace(t, s, r, true)
			} else {
				add(t, s, r)
			}
			for class := range verification.ClassOther + 1 {
				listed, err := ids(s.Due(t.Context(), class, at))
				if got := slices.Contains(listed, sessionID(n)); got != (class == test.want) || err != nil {
					t.Errorf("%d: listed in class %d %v, error %v, want class %d", n, class, got, err, test.want)
				}
			}
		}
	}
}

// dueMany ensures that long lists are complete, and may be left at any time.
func dueMany(t *testing.T, s Store) {
	const many = 230
	at := recent()
	var want []int
	for n := range many {
		add(t, s, newRecord(n, at.Add(time.Duration(n)*time.Millisecond)))
		want = append(want, n)
	}
	wantDue(t, s, unread, time.Now(), want...)
	for id, err := range s.Due(t.Context(), unread, time.Now()) {
		if id != sessionID(0) || err != nil {
			t.Errorf("first: got %s, error %v, want %s", id, err, sessionID(0))
		}
		break
	}
}
