package verificationtest

import (
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

func wantOwned(t *testing.T, s Store, owner string, most int, want ...int) {
	t.Helper()
	records, err := s.ByOwner(t.Context(), owner, most)
	var got, ids []string
	for _, r := range records {
		got = append(got, r.SessionID)
	}
	for _, n := range want {
		ids = append(ids, sessionID(n))
	}
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("at most %d of %q: got %q, error %v, want %q", most, owner, got, err, ids)
	}
}

const unread = verification.ClassUnread

func wantDue(t *testing.T, s Store, class verification.Class, now time.Time, want ...int) {
	t.Helper()
	got, err := ids(s.Due(t.Context(), class, now))
	var listed []string
	for _, n := range want {
		listed = append(listed, sessionID(n))
	}
	if err != nil || !slices.Equal(got, listed) {
		t.Errorf("class %d due at %v: got %q, error %v, want %q", class, now, got, err, listed)
	}
}

// ids returns a list of ids, and the error that ended it.
func ids(due iter.Seq2[string, error]) (all []string, err error) {
	for id, err := range due {
		if err != nil {
			return all, err
		}
		all = append(all, id)
	}
	return all, nil
}

// byOwner ensures that an end user's records come newest first and complete, and no others.
func byOwner(t *testing.T, s Store) {
	at := recent()
	for n, minutes := range []int{3, 1, 4, 0, 2} {
		add(t, s, full(n, at.Add(time.Duration(minutes)*time.Minute)))
	}
	foreign, ownerless := newRecord(5, at.Add(time.Hour)), newRecord(6, at.Add(time.Hour))
	foreign.VendorData, ownerless.VendorData = otherOwner, ""
	add(t, s, foreign)
	add(t, s, ownerless)

	wantOwned(t, s, owner, 10, 2, 0, 4, 1, 3)
	wantOwned(t, s, owner, 5, 2, 0, 4, 1, 3)
	wantOwned(t, s, owner, 2, 2, 0)
	wantOwned(t, s, owner, 0)
	wantOwned(t, s, otherOwner, 10, 5)
	wantOwned(t, s, "user-12", 10)
	wantOwned(t, s, "USER-123", 10)
	wantOwned(t, s, "", 10)

	records, err := s.ByOwner(t.Context(), owner, 1)
	if err != nil || len(records) != 1 {
		t.Fatalf("got %d records, error %v, want 1", len(records), err)
	}
	wantRecord(t, "listed", records[0], full(2, at.Add(4*time.Minute)))
	if records[0].Version != stored(t, s, 2).Version {
		t.Errorf("listed version %d, stored is %d", records[0].Version, stored(t, s, 2).Version)
	}
	// Later writes do not change the order.
	oldest := stored(t, s, 3)
	oldest.Status, oldest.CheckedAt = verification.StatusApproved, at.Add(time.Hour)
	replace(t, s, oldest, true)
	wantOwned(t, s, owner, 10, 2, 0, 4, 1, 3)
}

// byOwnerLaterKnown ensures that a record is listed once its owner is known.
func byOwnerLaterKnown(t *testing.T, s Store) {
	at := recent()
	for n := range 2 {
		r := newRecord(n, at.Add(time.Duration(n)*time.Second))
		r.VendorData = ""
		add(t, s, r)
	}
	wantOwned(t, s, owner, 10)
	add(t, s, newRecord(0, at))
	wantOwned(t, s, owner, 10, 0)
	r := stored(t, s, 1)
	r.VendorData = owner
	replace(t, s, r, true)
	wantOwned(t, s, owner, 10, 1, 0)
}

// byOwnerMany ensures that long lists are complete.
func byOwnerMany(t *testing.T, s Store) {
	const many = 120
	at := recent()
	var want []int
	for n := range many {
		add(t, s, newRecord(n, at.Add(time.Duration(n)*time.Millisecond)))
		want = append(want, many-1-n)
	}
	wantOwned(t, s, owner, 1000, want...)
	wantOwned(t, s, owner, 101, want[:101]...)
}

// latest ensures that the list shows of an end user's newest records what it promises, and no more.
func latest(t *testing.T, s Store) {
	at := recent()
	for n, minutes := range []int{3, 1, 4, 0, 2} {
		add(t, s, full(n, at.Add(time.Duration(minutes)*time.Minute)))
	}
	foreign, ownerless, bare := newRecord(5, at.Add(time.Hour)), newRecord(6, at.Add(time.Hour)), newRecord(7, at.Add(-time.Hour))
	foreign.VendorData, ownerless.VendorData, bare.WorkflowID = otherOwner, "", ""
	for _, r := range []verification.Record{foreign, ownerless, bare} {
		add(t, s, r)
	}
	changed := stored(t, s, 4)
	changed.Status, changed.UnknownReads = verification.StatusDeclined, 3
	replace(t, s, changed, true)

	listed, err := s.Latest(t.Context(), owner, 100)
	var got []map[string]any
	for _, r := range listed {
		got = append(got, plain(r))
	}
	var want []map[string]any
	for _, n := range []int{2, 0, 4, 1, 3, 7} {
		r := stored(t, s, n)
		want = append(want, plain(verification.Record{SessionID: r.SessionID, VendorData: r.VendorData, WorkflowID: r.WorkflowID,
			Status: r.Status, CreatedAt: r.CreatedAt, UnknownReads: r.UnknownReads}))
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, error %v,\nwant %v", got, err, want)
	}
	erased := stored(t, s, 3)
	erased.Expires = time.Now().Add(time.Hour)
	if _, _, err := s.MarkErased(t.Context(), erased); err != nil {
		t.Fatal(err)
	}
	if listed, err := s.Latest(t.Context(), owner, 100); err != nil || len(listed) != len(want)-1 {
		t.Errorf("one is erased: got %v, error %v, want %d others", listed, err, len(want)-1)
	}
	for most, want := range map[int]int{0: 0, 1: 1, 3: 3} {
		if listed, err := s.Latest(t.Context(), owner, most); err != nil || len(listed) != want || want > 0 && listed[0].SessionID != sessionID(2) {
			t.Errorf("at most %d: got %v, error %v, want the %d newest", most, listed, err, want)
		}
	}
	for _, unknown := range []string{"", "user-12", "USER-123"} {
		if listed, err := s.Latest(t.Context(), unknown, 10); err != nil || len(listed) != 0 {
			t.Errorf("sessions of %q: got %v, error %v, want none", unknown, listed, err)
		}
	}
}

// due ensures that the oldest come first, the time itself counts, and zero is never due.
func due(t *testing.T, s Store) {
	at := recent()
	for n, minutes := range []int{3, 1, 4, 0, 2} {
		r := newRecord(n, at)
		r.DueFrom = at.Add(time.Duration(minutes) * time.Minute)
		add(t, s, r)
	}
	never := newRecord(5, at)
	never.DueFrom = time.Time{}
	add(t, s, never)
	ownerless := newRecord(6, at)
	ownerless.VendorData, ownerless.DueFrom = "", at.Add(time.Hour)
	add(t, s, ownerless)

	wantDue(t, s, unread, at.Add(-time.Millisecond))
	wantDue(t, s, unread, at, 3)
	wantDue(t, s, unread, at.Add(2*time.Minute), 3, 1, 4)
	wantDue(t, s, unread, at.Add(2*time.Minute-time.Millisecond), 3, 1)
	wantDue(t, s, unread, at.Add(24*time.Hour), 3, 1, 4, 0, 2, 6)
	wantDue(t, s, unread, at.In(time.FixedZone("elsewhere", -7200)), 3)
}

// dueChanges ensures that the list follows the records.
func dueChanges(t *testing.T, s Store) {
	at := recent()
	later := at.Add(time.Hour)
	add(t, s, newRecord(0, at))
	add(t, s, newRecord(1, at.Add(time.Minute)))
	r := stored(t, s, 0)
	r.DueFrom = at.Add(2 * time.Minute)
	replace(t, s, r, true)
	wantDue(t, s, unread, later, 1, 0)
	r = stored(t, s, 1)
	r.DueFrom = time.Time{}
	replace(t, s, r, true)
	wantDue(t, s, unread, later, 0)
	r = stored(t, s, 1)
	replace(t, s, r, true)
	wantDue(t, s, unread, later, 0)
	add(t, s, newRecord(1, at.Add(3*time.Minute)))
	wantDue(t, s, unread, later, 0, 1)
	removeRecord(t, s, stored(t, s, 0), true)
	wantDue(t, s, unread, later, 1)
}
