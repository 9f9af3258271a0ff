package verificationtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// replaceAll ensures that all of the record is written but its creation time.
func replaceAll(t *testing.T, s Store) {
	at := recent()
	for n, pair := range [][2]verification.Record{
		{newRecord(0, at), full(0, at.Add(time.Minute))},
		{full(1, at), newRecord(1, at.Add(time.Minute))},
		{full(2, at), {SessionID: sessionID(2), VendorData: owner, WorkflowID: workflow}},
	} {
		add(t, s, pair[0])
		before := stored(t, s, n)
		add(t, s, newRecord(3, at)) // another session's versions are its own
		next := pair[1]
		next.Version = before.Version
		replace(t, s, next, true)
		next.CreatedAt = pair[0].CreatedAt
		after := stored(t, s, n)
		wantRecord(t, "replaced", after, next)
		if after.Version != before.Version+1 {
			t.Errorf("version was %d and is %d after a write, want it to grow by one", before.Version, after.Version)
		}
	}
}

// replaceOwner ensures that a known owner or workflow stays, and an unknown one is filled in.
func replaceOwner(t *testing.T, s Store) {
	for n, test := range []struct{ owner, workflow, newOwner, newWorkflow, wantOwner, wantWorkflow string }{
		{owner, workflow, otherOwner, otherWorkflow, owner, workflow},
		{owner, workflow, "", "", owner, workflow},
		{"", workflow, owner, otherWorkflow, owner, workflow},
		{"", "", owner, workflow, owner, workflow},
		{"", "", "", "", "", ""},
	} {
		add(t, s, verification.NewRecord(sessionID(n), test.owner, test.workflow, verification.StatusNotStarted, recent()))
		r := stored(t, s, n)
		r.VendorData, r.WorkflowID = test.newOwner, test.newWorkflow
		replace(t, s, r, true)
		if r = stored(t, s, n); r.VendorData != test.wantOwner || r.WorkflowID != test.wantWorkflow {
			t.Errorf("%+v: got owner %q, workflow %q", test, r.VendorData, r.WorkflowID)
		}
	}
}

func replaceAbsent(t *testing.T, s Store) {
	for _, version := range []int64{0, 1} {
		r := newRecord(1, recent())
		r.Version = version
		replace(t, s, r, false)
		if _, ok, err := s.Record(t.Context(), r.SessionID); ok || err != nil {
			t.Errorf("version %d of an absent record: got %v, error %v, want no record", version, ok, err)
		}
	}
}

// replaceVersions ensures that only the latest version can be replaced, also after an Add.
func replaceVersions(t *testing.T, s Store) {
	at := recent()
	add(t, s, newRecord(1, at))
	first := stored(t, s, 1)
	first.Status = verification.StatusInProgress
	replace(t, s, first, true)
	second := stored(t, s, 1)
	first.Status = verification.StatusDeclined
	replace(t, s, first, false)
	wantRecord(t, "after a conflict", stored(t, s, 1), second)
	if now := stored(t, s, 1); now.Version != second.Version {
		t.Errorf("a write that did not happen changed the version from %d to %d", second.Version, now.Version)
	}
	add(t, s, newRecord(1, at.Add(time.Minute)))
	second.Status = verification.StatusDeclined
	replace(t, s, second, false)
	third := stored(t, s, 1)
	if third.Status != verification.StatusInProgress {
		t.Errorf("got status %q, want that of the write that succeeded", third.Status)
	}
	for _, version := range []int64{0, third.Version - 1, third.Version + 1} {
		wrong := third
		wrong.Version = version
		replace(t, s, wrong, false)
	}
	replace(t, s, third, true)
}

// replaceRemoved ensures that a record that was removed and added again counts as another one.
func replaceRemoved(t *testing.T, s Store) {
	add(t, s, newRecord(1, recent()))
	old := stored(t, s, 1)
	removeRecord(t, s, old, true)
	replace(t, s, old, false)
	add(t, s, newRecord(1, recent()))
	replace(t, s, old, false)
	removeRecord(t, s, old, false)
	stored(t, s, 1)
}

// replaceOneWinner ensures that of many callers with the same version one writes.
func replaceOneWinner(t *testing.T, s Store) {
	add(t, s, newRecord(1, recent()))
	read := stored(t, s, 1)
	var all sync.WaitGroup
	var won, winner atomic.Int64
	for i := range 20 {
		all.Go(func() {
			r := read
			r.Asked = i + 1
			ok, err := s.Replace(t.Context(), r)
			if err != nil {
				t.Errorf("Replace: %v", err)
			}
			if ok {
				won.Add(1)
				winner.Store(int64(r.Asked))
			}
		})
	}
	all.Wait()
	if got := stored(t, s, 1).Asked; won.Load() != 1 || int64(got) != winner.Load() {
		t.Errorf("%d writers won, one with %d; %d is stored", won.Load(), winner.Load(), got)
	}
}

// replaceNothingLost ensures that writers that retry until they succeed do not overwrite each
// other.
func replaceNothingLost(t *testing.T, s Store) {
	const writers = 8
	add(t, s, newRecord(1, recent()))
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for {
				r, ok, err := s.Record(t.Context(), sessionID(1))
				if err != nil || !ok {
					t.Errorf("Record: got %v, error %v", ok, err)
					return
				}
				r.Asked++
				if ok, err = s.Replace(t.Context(), r); ok || err != nil {
					if err != nil {
						t.Errorf("Replace: %v", err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	if got := stored(t, s, 1).Asked; got != writers {
		t.Errorf("%d writers counted to %d", writers, got)
	}
}

// remove ensures that only the latest version can be removed.
func remove(t *testing.T, s Store) {
	removeRecord(t, s, newRecord(1, recent()), false)
	add(t, s, newRecord(1, recent()))
	add(t, s, newRecord(2, recent()))
	old := stored(t, s, 1)
	replace(t, s, old, true)
	removeRecord(t, s, old, false)
	removeRecord(t, s, stored(t, s, 1), true)
	if _, ok, err := s.Record(t.Context(), sessionID(1)); ok || err != nil {
		t.Errorf("after Remove: got %v, error %v, want no record", ok, err)
	}
	stored(t, s, 2)
	wantOwned(t, s, owner, 10, 2)
	wantDue(t, s, unread, time.Now(), 2)
}
