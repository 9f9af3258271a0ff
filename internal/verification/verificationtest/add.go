package verificationtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// addAbsent ensures that a session that is not on record is stored as given.
func addAbsent(t *testing.T, s Store) {
	at := recent()
	for n, r := range []verification.Record{newRecord(0, at), full(1, at)} {
		r.Version = 42
		_, known, err := s.Add(t.Context(), r)
		if err != nil || known {
			t.Errorf("got known %v, error %v, want neither", known, err)
		}
		wantRecord(t, "added", stored(t, s, n), r)
	}
}

// addStored ensures that adding again does not undo a change, whatever the status is.
func addStored(t *testing.T, s Store) {
	at := recent()
	unfinished, final, awaited := newRecord(0, at), full(1, at), full(2, at)
	unfinished.Awaited = false
	final.Status, final.Awaited, final.DueFrom = verification.StatusApproved, false, time.Time{}
	for n, r := range []verification.Record{unfinished, final, awaited, full(3, at)} {
		add(t, s, r)
		before := stored(t, s, n)
		again := verification.NewRecord(r.SessionID, otherOwner, otherWorkflow, verification.StatusInProgress, at.Add(20*time.Minute))
		again.Source, again.Awaited, again.Asked = verification.SourceEvent, !r.Awaited, 7
		again.Checks, again.Seen = []verification.Check{{Feature: "NFC"}}, []string{"another event"}
		was, known, err := s.Add(t.Context(), again)
		if err != nil || !known || was.Version != before.Version {
			t.Errorf("added again: got version %d, known %v, error %v, want version %d", was.Version, known, err, before.Version)
		}
		wantRecord(t, "returned", was, r)
		want := r
		want.CheckedAt = again.CheckedAt
		if want.DueFrom.IsZero() {
			want.DueFrom = again.DueFrom
		}
		after := stored(t, s, n)
		wantRecord(t, "added again", after, want)
		if after.Version <= before.Version {
			t.Errorf("version was %d and is %d after a write, want it to grow", before.Version, after.Version)
		}
	}
}

// addOwner ensures that owner and workflow are filled in independently, and never changed.
func addOwner(t *testing.T, s Store) {
	at := recent()
	for n, test := range []struct{ owner, workflow, addOwner, addWorkflow, wantOwner, wantWorkflow string }{
		{"", "", owner, workflow, owner, workflow},
		{"", workflow, owner, otherWorkflow, owner, workflow},
		{owner, "", otherOwner, workflow, owner, workflow},
		{owner, workflow, otherOwner, otherWorkflow, owner, workflow},
		{owner, workflow, "", "", owner, workflow},
		{"", "", "", "", "", ""},
	} {
		add(t, s, verification.NewRecord(sessionID(n), test.owner, test.workflow, verification.StatusNotStarted, at))
		add(t, s, verification.NewRecord(sessionID(n), test.addOwner, test.addWorkflow, verification.StatusNotStarted, at))
		if r := stored(t, s, n); r.VendorData != test.wantOwner || r.WorkflowID != test.wantWorkflow {
			t.Errorf("%+v: got owner %q, workflow %q", test, r.VendorData, r.WorkflowID)
		}
	}
}

// addDue ensures that adding makes a session due if it was not, and leaves the time of others.
func addDue(t *testing.T, s Store) {
	at := recent()
	early, late := at.Add(time.Minute), at.Add(2*time.Minute)
	for n, test := range []struct{ was, added, want time.Time }{
		{time.Time{}, late, late}, {early, late, early}, {late, early, late}, {early, time.Time{}, early}, {time.Time{}, time.Time{}, time.Time{}},
	} {
		r := newRecord(n, at)
		r.DueFrom = test.was
		add(t, s, r)
		r.DueFrom = test.added
		add(t, s, r)
		if got := stored(t, s, n).DueFrom; !got.Equal(test.want) {
			t.Errorf("due from %v, added with %v: got %v, want %v", test.was, test.added, got, test.want)
		}
	}
}

// addConcurrent ensures that of many concurrent calls for one session, one makes the record.
func addConcurrent(t *testing.T, s Store) {
	const callers = 20
	var first atomic.Int32
	at := recent()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			r := full(1, at)
			r.VendorData, r.Status, r.Asked = string(rune('a'+i)), string(rune('a'+i)), i
			_, known, err := s.Add(t.Context(), r)
			if err != nil {
				t.Errorf("Add: %v", err)
			}
			if !known {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if got := first.Load(); got != 1 {
		t.Errorf("%d callers found no record, want 1", got)
	}
	r := stored(t, s, 1)
	if r.VendorData != r.Status || r.Status != string(rune('a'+r.Asked)) {
		t.Errorf("got a mixture of records: owner %q, status %q, asked %d", r.VendorData, r.Status, r.Asked)
	}
}

func recordAbsent(t *testing.T, s Store) {
	add(t, s, newRecord(1, recent()))
	if r, ok, err := s.Record(t.Context(), sessionID(2)); ok || err != nil {
		t.Errorf("got %v, %v, error %v, want no record", r, ok, err)
	}
	if err := s.AddToken(t.Context(), sessionID(2), "token"); err != nil {
		t.Fatal(err)
	}
	if r, ok, err := s.Record(t.Context(), sessionID(2)); ok || err != nil {
		t.Errorf("with a task only: got %v, %v, error %v, want no record", r, ok, err)
	}
}

// roundTrip ensures that every field is read as it was written.
func roundTrip(t *testing.T, s Store) {
	at := recent()
	for n, change := range []func(*verification.Record){
		func(*verification.Record) {},
		func(r *verification.Record) { r.Checks = nil },
		func(r *verification.Record) { r.Checks = []verification.Check{} },
		func(r *verification.Record) { r.Checks = []verification.Check{{}} },
		func(r *verification.Record) { r.Checks, r.Seen, r.Asked, r.Awaited = nil, nil, 0, false },
		func(r *verification.Record) { r.VendorData, r.WorkflowID, r.Status, r.Source = "", "", "", "" },
		func(r *verification.Record) {
			r.StatusAt, r.CreatedAt, r.CheckedAt = time.Time{}, time.Time{}, time.Time{}
		},
		func(r *verification.Record) { r.DueFrom = time.Time{} },
		func(r *verification.Record) { r.StatusAt, r.DueFrom = time.Unix(0, 0), time.Unix(0, 0) },
		func(r *verification.Record) { r.DueFrom = r.DueFrom.In(time.FixedZone("elsewhere", 3600)) },
		func(r *verification.Record) {
			r.VendorData, r.Status = "ユーザー \u0000\"\\<&>\u2028é🙂", "Ünknown Státus"
		},
		func(r *verification.Record) { r.Checks = []verification.Check{{Feature: "检查", Status: new("✓")}} },
		func(r *verification.Record) { r.VendorData = string(make([]byte, 2048)) },
		func(r *verification.Record) { r.Seen = []string{"", "read:0123", "é"} },
	} {
		want := full(n, at)
		change(&want)
		add(t, s, want)
		wantRecord(t, "added", stored(t, s, n), want)
		recent, _, err := s.RecentRecord(t.Context(), sessionID(n))
		if err != nil {
			t.Errorf("RecentRecord: %v", err)
		}
		wantRecord(t, "added, as it was a moment ago", recent, want)
	}
}

// copies ensures that a store shares no memory with its callers.
func copies(t *testing.T, s Store) {
	at := recent()
	spoil := func(r verification.Record) {
		*r.Checks[0].Status, r.Checks[1].Feature, r.Seen[0] = "spoilt", "spoilt", "spoilt"
	}
	want := full(1, at)
	given := full(1, at)
	add(t, s, given)
	spoil(given)
	wantRecord(t, "after a change of what was added", stored(t, s, 1), want)
	spoil(stored(t, s, 1))
	wantRecord(t, "after a change of what was read", stored(t, s, 1), want)
	given = stored(t, s, 1)
	replace(t, s, given, true)
	spoil(given)
	wantRecord(t, "after a change of what was written", stored(t, s, 1), want)
	listed, err := s.ByOwner(t.Context(), owner, 1)
	if err != nil || len(listed) != 1 {
		t.Fatalf("ByOwner: got %d records, error %v", len(listed), err)
	}
	spoil(listed[0])
	wantRecord(t, "after a change of what was listed", stored(t, s, 1), want)
}
