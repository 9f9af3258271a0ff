// Package verificationtest holds the suites that every implementation of the domain's interfaces
// must pass: the in-memory twins and those on AWS alike. Passing them says nothing of errors on the
// way to a service; each implementation tests its own.
package verificationtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

const (
	workflow      = "11111111-2222-3333-4444-555555555555"
	otherWorkflow = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	someone       = "user-123"
	someoneElse   = "user-124"
)

// TestStore checks all that [verification.Store] promises. newStore makes an empty store, ready to
// use until its test ends; it may be called from several goroutines. Times are kept to the
// millisecond at least, and stores must not make rows of the near past expire.
func TestStore(t *testing.T, newStore func(t *testing.T) verification.Store) {
	for name, test := range map[string]func(*testing.T, verification.Store){
		"Add/absent":                  addAbsent,
		"Add/stored":                  addStored,
		"Add/owner":                   addOwner,
		"Add/due":                     addDue,
		"Add/concurrent":              addConcurrent,
		"Session/absent":              sessionAbsent,
		"Session/round trip":          roundTrip,
		"Session/copies":              copies,
		"Replace/all":                 replaceAll,
		"Replace/owner":               replaceOwner,
		"Replace/absent":              replaceAbsent,
		"Replace/versions":            replaceVersions,
		"Replace/removed meanwhile":   replaceRemoved,
		"Replace/one winner":          replaceOneWinner,
		"Replace/nothing lost":        replaceNothingLost,
		"Remove":                      remove,
		"ByOwner":                     byOwner,
		"ByOwner/later known":         byOwnerLaterKnown,
		"ByOwner/many":                byOwnerMany,
		"Due":                         due,
		"Due/changes":                 dueChanges,
		"Tasks":                       tasks,
		"Tasks/long":                  tasksLong,
		"Tasks/without a record":      tasksWithoutRecord,
		"Tasks/concurrent":            tasksConcurrent,
		"TakeRead":                    takeRead,
		"TakeRead/concurrent callers": takeReadConcurrent,
		"context":                     contextOver,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newStore(t))
		})
	}
}

// recent is a time shortly before now, so that nothing written at it has expired.
func recent() time.Time {
	return time.Now().UTC().Add(-time.Hour).Truncate(time.Second).Add(123 * time.Millisecond)
}

// sessionID is one of many lower-case UUIDs.
func sessionID(n int) string { return fmt.Sprintf("99999999-2222-3333-4444-%012d", n) }

func newRecord(n int, at time.Time) verification.Record {
	return verification.NewRecord(sessionID(n), someone, workflow, verification.StatusNotStarted, at)
}

// full has a value of its own in every field.
func full(n int, at time.Time) verification.Record {
	r := newRecord(n, at)
	r.Status, r.StatusAt, r.Source = verification.StatusInReview, at.Add(time.Minute).Truncate(time.Second), verification.SourceRead
	r.CheckedAt, r.DueFrom = at.Add(2*time.Minute), at.Add(3*time.Minute)
	r.Checks = []verification.Check{{Feature: "ID_VERIFICATION", Status: new("In Review")}, {Feature: "AML"}, {Feature: "AML", Status: new("")}}
	r.Asked, r.Awaited = 3, true
	for i := range 20 {
		r.Seen = append(r.Seen, fmt.Sprintf("event-%02d", 20-i))
	}
	return r
}

func add(t *testing.T, s verification.Store, r verification.Record) {
	t.Helper()
	if err := s.Add(t.Context(), r); err != nil {
		t.Fatalf("Add %v: %v", r, err)
	}
}

// stored is the record, which must be there.
func stored(t *testing.T, s verification.Store, n int) verification.Record {
	t.Helper()
	r, ok, err := s.Session(t.Context(), sessionID(n))
	if err != nil || !ok {
		t.Fatalf("Session %d: got %v, error %v, want a record", n, ok, err)
	}
	return r
}

func replace(t *testing.T, s verification.Store, r verification.Record, want bool) {
	t.Helper()
	if ok, err := s.Replace(t.Context(), r); err != nil || ok != want {
		t.Fatalf("Replace %v: got %v, error %v, want %v", r, ok, err, want)
	}
}

func takeAway(t *testing.T, s verification.Store, r verification.Record, want bool) {
	t.Helper()
	if ok, err := s.Remove(t.Context(), r); err != nil || ok != want {
		t.Fatalf("Remove %v: got %v, error %v, want %v", r, ok, err, want)
	}
}

// wantRecord compares all but the version, which is the store's. No list and an empty one are the
// same.
func wantRecord(t *testing.T, what string, got, want verification.Record) {
	t.Helper()
	if g, w := plain(got), plain(want); !reflect.DeepEqual(g, w) {
		t.Errorf("%s: got %v, want %v", what, g, w)
	}
	for name, at := range map[string]time.Time{
		"StatusAt": got.StatusAt, "CreatedAt": got.CreatedAt, "CheckedAt": got.CheckedAt, "DueFrom": got.DueFrom} {
		if at.Location() != time.UTC {
			t.Errorf("%s: %s is in %v, want UTC", what, name, at.Location())
		}
	}
}

// plain is the record by field, in a form that compares and prints: records print redacted.
func plain(r verification.Record) map[string]any {
	checks := []string{}
	for _, c := range r.Checks {
		status := "nil"
		if c.Status != nil {
			status = fmt.Sprintf("%q", *c.Status)
		}
		checks = append(checks, fmt.Sprintf("%q %s", c.Feature, status))
	}
	return map[string]any{
		"session": r.SessionID, "owner": r.VendorData, "workflow": r.WorkflowID, "status": r.Status, "source": r.Source,
		"status_at": r.StatusAt.UnixMilli(), "created_at": r.CreatedAt.UnixMilli(), "checked_at": r.CheckedAt.UnixMilli(),
		"due_from": r.DueFrom.UnixMilli(), "due": !r.DueFrom.IsZero(), "checks": checks,
		"asked": r.Asked, "awaited": r.Awaited, "seen": append([]string{}, r.Seen...),
	}
}

// contextOver ensures that a store does not work on for a caller that has given up.
func contextOver(t *testing.T, s verification.Store) {
	add(t, s, newRecord(1, recent()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRecord(1, recent())
	for name, call := range map[string]func() error{
		"Add":        func() error { return s.Add(ctx, r) },
		"Session":    func() error { _, _, err := s.Session(ctx, r.SessionID); return err },
		"Replace":    func() error { _, err := s.Replace(ctx, r); return err },
		"Remove":     func() error { _, err := s.Remove(ctx, r); return err },
		"ByOwner":    func() error { _, err := s.ByOwner(ctx, someone, 10); return err },
		"Due":        func() error { _, err := s.Due(ctx, time.Now(), 10); return err },
		"AddTask":    func() error { return s.AddTask(ctx, r.SessionID, "token") },
		"Tasks":      func() error { _, err := s.Tasks(ctx, r.SessionID); return err },
		"RemoveTask": func() error { return s.RemoveTask(ctx, r.SessionID, "token") },
		"TakeRead":   func() error { _, err := s.TakeRead(ctx, time.Now(), 10); return err },
	} {
		err := call()
		if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeBackendUnavailable {
			t.Errorf("%s with a context that is over: got %v, want backend_unavailable", name, err)
		}
	}
}
