package verificationtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// erasedUntil is when the records of erased sessions expire in these tests.
func erasedUntil() time.Time { return recent().Add(30 * 24 * time.Hour).Truncate(time.Second) }

// erase marks the nth session of the owner as erased, and returns whether it was gone.
func erase(t *testing.T, s Store, n int, gone bool) bool {
	t.Helper()
	marked, was, err := s.MarkErased(t.Context(), verification.Record{
		SessionID: sessionID(n), VendorData: owner, CreatedAt: recent(), Expires: erasedUntil(), Gone: gone})
	if !marked || err != nil {
		t.Fatalf("MarkErased %d: got marked %v, error %v", n, marked, err)
	}
	return was
}

// eraseMark ensures that whatever a record is, only its owner and creation time are left, and that
// version and news grow.
func eraseMark(t *testing.T, s Store) {
	at := recent()
	awaited := newRecord(1, at)
	awaited.VendorData, awaited.WorkflowID, awaited.Awaited = "", "", true
	expired := past(2)
	malformed := full(3, at)
	for n, r := range []verification.Record{full(0, at), awaited, expired, malformed} {
		add(t, s, r)
		if n == 3 {
			s.Spoil(t, sessionID(n))
		}
		before, known, _ := s.Record(t.Context(), sessionID(n))
		if gone := erase(t, s, n, false); gone {
			t.Errorf("%d: it was gone before", n)
		}
		want := verification.Record{SessionID: sessionID(n), VendorData: owner, CreatedAt: at, Expires: erasedUntil(), Erased: true, News: r.News + 1}
		after := stored(t, s, n)
		wantErased(t, fmt.Sprint(n), after, want)
		if known && after.Version <= before.Version {
			t.Errorf("%d: version was %d and is %d, want it to grow", n, before.Version, after.Version)
		}
		for class := range verification.ClassOther + 1 {
			if due, err := ids(s.Due(t.Context(), class, at.Add(1000*time.Hour))); err != nil || slices.Contains(due, sessionID(n)) {
				t.Errorf("%d: due is %q, error %v, want the session out of it", n, due, err)
			}
		}
	}
	erase(t, s, 9, false) // which is not on record
	wantErased(t, "not on record", stored(t, s, 9), verification.Record{SessionID: sessionID(9), VendorData: owner, CreatedAt: at, Expires: erasedUntil(), Erased: true, News: 1})
	if gone := erase(t, s, 9, true); gone {
		t.Error("it was gone before it was noted so")
	}
	if gone := erase(t, s, 9, false); !gone {
		t.Error("that it is gone was forgotten")
	}
}

// wantErased compares what is left of a record.
func wantErased(t *testing.T, what string, got, want verification.Record) {
	t.Helper()
	created := got.CreatedAt.Sub(want.CreatedAt).Abs() < time.Hour && got.CreatedAt.IsZero() == want.CreatedAt.IsZero()
	got.CreatedAt, want.CreatedAt = time.Time{}, time.Time{}
	if got.Expires.Sub(want.Expires).Abs() < time.Hour {
		want.Expires = got.Expires
	}
	if !created {
		t.Errorf("%s: the creation time is wrong", what)
	}
	wantRecord(t, what, got, want)
}

// eraseForeign ensures that the session of another owner is left alone.
func eraseForeign(t *testing.T, s Store) {
	r := full(1, recent())
	r.VendorData = otherOwner
	add(t, s, r)
	marked, gone, err := s.MarkErased(t.Context(), verification.Record{SessionID: sessionID(1), VendorData: owner, CreatedAt: recent(), Expires: erasedUntil()})
	if marked || gone || err != nil {
		t.Errorf("got marked %v, gone %v, error %v, want none of them", marked, gone, err)
	}
	wantRecord(t, "another owner's", stored(t, s, 1), r)
}

// eraseStays ensures that no other write changes the record of an erased session, stripped or not,
// until it has expired.
func eraseStays(t *testing.T, s Store) {
	at := recent()
	for n, stripped := range []bool{false, true} {
		read := full(n, at)
		add(t, s, read)
		read = stored(t, s, n)
		erase(t, s, n, false)
		if stripped {
			strip(t, s, n)
		}
		before := stored(t, s, n)
		unchanged := func(call string) {
			t.Helper()
			after := stored(t, s, n)
			wantRecord(t, call, after, before)
			if after.Version != before.Version || !after.Erased {
				t.Errorf("%s: version was %d and is %d, erased %v", call, before.Version, after.Version, after.Erased)
			}
		}
		r := full(n, at.Add(time.Minute))
		r.Expires = at.Add(1000 * 24 * time.Hour).Truncate(time.Second)
		was, known, err := s.Add(t.Context(), r)
		if !known || !was.Erased || err != nil {
			t.Errorf("Add: got known %v, erased %v, error %v, want both", known, was.Erased, err)
		}
		unchanged("Add")
		if was, known, err = s.Enroll(t.Context(), r); !known || !was.Erased || err != nil {
			t.Errorf("Enroll: got known %v, erased %v, error %v, want both", known, was.Erased, err)
		}
		unchanged("Enroll")
		wantClaim(t, s, n, time.Now().Add(time.Hour), false)
		unchanged("Claim")
		for _, version := range []int64{read.Version, before.Version, 0} {
			r.Version = version
			replace(t, s, r, false)
			removeRecord(t, s, r, false)
			unchanged("Replace and Remove")
		}
	}
}

// eraseExpired ensures that the record of an erased session gives way when it has expired.
func eraseExpired(t *testing.T, s Store) {
	for n, put := range []func(verification.Record) (verification.Record, bool, error){
		func(r verification.Record) (verification.Record, bool, error) { return s.Add(t.Context(), r) },
		func(r verification.Record) (verification.Record, bool, error) { return s.Enroll(t.Context(), r) },
	} {
		if _, _, err := s.MarkErased(t.Context(), verification.Record{
			SessionID: sessionID(n), VendorData: owner, CreatedAt: recent(), Gone: true, Expires: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Record(t.Context(), sessionID(n)); found || err != nil {
			t.Errorf("got found %v, error %v, want neither", found, err)
		}
		r := full(n, recent())
		r.Awaited = n == 1
		if _, known, err := put(r); known || err != nil {
			t.Errorf("got known %v, error %v, want neither", known, err)
		}
		wantRecord(t, "put on record again", stored(t, s, n), r)
	}
}

// eraseOwned ensures that erased sessions are in the list of all, and not in that for callers,
// until they are stripped.
func eraseOwned(t *testing.T, s Store) {
	at := recent()
	for n := range 3 {
		add(t, s, full(n, at.Add(time.Duration(n)*time.Second)))
	}
	other := full(3, at)
	other.VendorData = otherOwner
	add(t, s, other)
	erase(t, s, 1, false)
	wantAll(t, s, 2, 1, 0)
	if listed, err := s.ByOwner(t.Context(), owner, 10); err != nil || len(listed) != 2 || listed[0].SessionID != sessionID(2) || listed[1].SessionID != sessionID(0) {
		t.Errorf("ByOwner: got %v, error %v, want those that are not erased", listed, err)
	}
	strip(t, s, 1)
	wantErased(t, "stripped", stored(t, s, 1), verification.Record{SessionID: sessionID(1), Expires: erasedUntil(), Erased: true})
	strip(t, s, 0) // which is not erased
	wantRecord(t, "not erased", stored(t, s, 0), full(0, at))
	strip(t, s, 8) // which is not on record
	if _, found, err := s.Record(t.Context(), sessionID(8)); found || err != nil {
		t.Errorf("strip put a session on record: %v, error %v", found, err)
	}
	wantAll(t, s, 2, 0)
	if all, err := ids(s.Owned(t.Context(), "")); err != nil || len(all) > 0 {
		t.Errorf("of no owner: got %q, error %v", all, err)
	}
}

// eraseMany ensures that the list goes on after its first page.
func eraseMany(t *testing.T, s Store) {
	for n := range 230 {
		erase(t, s, n, false)
	}
	all, err := ids(s.Owned(t.Context(), owner))
	slices.Sort(all)
	if err != nil || len(slices.Compact(all)) != 230 {
		t.Errorf("got %d sessions, error %v, want 230", len(all), err)
	}
}

func strip(t *testing.T, s Store, n int) {
	t.Helper()
	if err := s.Strip(t.Context(), sessionID(n)); err != nil {
		t.Fatalf("Strip %d: %v", n, err)
	}
}

func wantAll(t *testing.T, s Store, want ...int) {
	t.Helper()
	var wanted []string
	for _, n := range want {
		wanted = append(wanted, sessionID(n))
	}
	if got, err := ids(s.Owned(t.Context(), owner)); err != nil || !slices.Equal(got, wanted) {
		t.Errorf("Owned: got %q, error %v, want %q", got, err, wanted)
	}
}
