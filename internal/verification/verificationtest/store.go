// Package verificationtest holds the suites that every implementation of the domain's interfaces
// must pass, in memory and on AWS. They do not test errors on the way to a service: each
// implementation tests its own.
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
	owner         = "user-123"
	otherOwner    = "user-124"
)

// Store is a store for a test.
type Store struct {
	verification.Store
	// Spoil makes the record of a session unreadable.
	Spoil func(t *testing.T, sessionID string)
}

// TestStore tests what [verification.Store] promises. newStore returns an empty store for one test;
// it may be called concurrently. Times must be kept to the millisecond at least.
func TestStore(t *testing.T, newStore func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"Add/absent":                        addAbsent,
		"Add/stored":                        addStored,
		"Add/owner":                         addOwner,
		"Add/due":                           addDue,
		"Add/concurrent":                    addConcurrent,
		"Add/expiry":                        addExpiry,
		"Add/expired":                       addExpired,
		"Enroll":                            enroll,
		"Enroll/concurrent":                 enrollConcurrent,
		"Claim":                             claim,
		"Claim/concurrent":                  claimConcurrent,
		"expired":                           expired,
		"unreadable":                        unreadable,
		"Record/absent":                     recordAbsent,
		"Record/round trip":                 roundTrip,
		"Record/copies":                     copies,
		"Replace/all":                       replaceAll,
		"Replace/owner":                     replaceOwner,
		"Replace/absent":                    replaceAbsent,
		"Replace/versions":                  replaceVersions,
		"Replace/removed in between":        replaceRemoved,
		"Replace/one winner":                replaceOneWinner,
		"Replace/nothing lost":              replaceNothingLost,
		"Remove":                            remove,
		"ByOwner":                           byOwner,
		"ByOwner/later known":               byOwnerLaterKnown,
		"ByOwner/many":                      byOwnerMany,
		"Latest":                            latest,
		"Due":                               due,
		"Due/changes":                       dueChanges,
		"Due/classes":                       dueClasses,
		"Due/many":                          dueMany,
		"Tokens":                            tokens,
		"Tokens/long":                       tokensLong,
		"Tokens/without a record":           tokensWithoutRecord,
		"Tokens/concurrent":                 tokensConcurrent,
		"TakeReadBudget":                    takeReadBudget,
		"TakeReadBudget/concurrent callers": takeReadBudgetConcurrent,
		"SharedToken":                       sharedTokens,
		"MarkErased":                        eraseMark,
		"MarkErased/another owner":          eraseForeign,
		"MarkErased/stays":                  eraseStays,
		"MarkErased/expired":                eraseExpired,
		"Owned":                             eraseOwned,
		"Owned/many":                        eraseMany,
		"context":                           contextDone,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newStore(t))
		})
	}
}

// recent returns a time shortly before now, so that rows written then have not expired.
func recent() time.Time {
	return time.Now().UTC().Add(-time.Hour).Truncate(time.Second).Add(123 * time.Millisecond)
}

// sessionID returns the nth of many lower-case UUIDs.
func sessionID(n int) string { return fmt.Sprintf("99999999-2222-3333-4444-%012d", n) }

func newRecord(n int, at time.Time) verification.Record {
	r := verification.NewRecord(sessionID(n), owner, workflow, verification.StatusNotStarted, at)
	r.DueFrom = at
	return r
}

// full returns a record with a different value in every field.
func full(n int, at time.Time) verification.Record {
	r := newRecord(n, at)
	r.Status, r.StatusAt, r.Source = verification.StatusInReview, at.Add(time.Minute).Truncate(time.Second), verification.SourceRead
	r.CheckedAt, r.DueFrom = at.Add(2*time.Minute), at.Add(3*time.Minute)
	r.ConfirmedAt, r.DoubtAt, r.UnknownSince, r.UnknownReads, r.News = at.Add(6*time.Minute).Truncate(time.Second), at.Add(4*time.Minute).Truncate(time.Second), at.Add(5*time.Minute), 2, 17
	r.Expires = at.Add(48 * time.Hour).Truncate(time.Second)
	r.Checks = []verification.Check{{Feature: "ID_VERIFICATION", Status: new("In Review")}, {Feature: "AML"}, {Feature: "AML", Status: new("")}}
	r.Asked, r.Unread, r.Awaited = 3, true, true
	for i := range 20 {
		r.Seen = append(r.Seen, fmt.Sprintf("event-%02d", 20-i))
	}
	return r
}

func add(t *testing.T, s Store, r verification.Record) {
	t.Helper()
	if _, _, err := s.Add(t.Context(), r); err != nil {
		t.Fatalf("Add %v: %v", r, err)
	}
}

// stored returns the record of a session, which must have one.
func stored(t *testing.T, s Store, n int) verification.Record {
	t.Helper()
	r, ok, err := s.Record(t.Context(), sessionID(n))
	if err != nil || !ok {
		t.Fatalf("Record %d: got %v, error %v, want a record", n, ok, err)
	}
	return r
}

func replace(t *testing.T, s Store, r verification.Record, want bool) {
	t.Helper()
	if ok, err := s.Replace(t.Context(), r); err != nil || ok != want {
		t.Fatalf("Replace %v: got %v, error %v, want %v", r, ok, err, want)
	}
}

func removeRecord(t *testing.T, s Store, r verification.Record, want bool) {
	t.Helper()
	if ok, err := s.Remove(t.Context(), r); err != nil || ok != want {
		t.Fatalf("Remove %v: got %v, error %v, want %v", r, ok, err, want)
	}
}

// wantRecord compares all but the version, which the store sets. A nil list equals an empty one.
func wantRecord(t *testing.T, what string, got, want verification.Record) {
	t.Helper()
	if g, w := plain(got), plain(want); !reflect.DeepEqual(g, w) {
		t.Errorf("%s: got %v, want %v", what, g, w)
	}
	for name, at := range map[string]time.Time{
		"StatusAt": got.StatusAt, "CreatedAt": got.CreatedAt, "CheckedAt": got.CheckedAt, "ConfirmedAt": got.ConfirmedAt, "ReadAt": got.ReadAt,
		"DoubtAt": got.DoubtAt, "UnknownSince": got.UnknownSince, "DueFrom": got.DueFrom, "Expires": got.Expires} {
		if at.Location() != time.UTC {
			t.Errorf("%s: %s is in %v, want UTC", what, name, at.Location())
		}
	}
}

// plain returns the record by field, in a form that can be compared and printed: records print
// redacted.
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
		"confirmed_at": r.ConfirmedAt.UnixMilli(), "read_at": r.ReadAt.UnixMilli(), "doubt_at": r.DoubtAt.UnixMilli(), "news": r.News, "expires": r.Expires.Unix(),
		"unknown_since": r.UnknownSince.UnixMilli(), "unknown_reads": r.UnknownReads, "unread": r.Unread,
		"asked": r.Asked, "awaited": r.Awaited, "erased": r.Erased, "gone": r.Gone, "seen": append([]string{}, r.Seen...),
	}
}

// contextDone ensures that a store does not work for a caller that has given up.
func contextDone(t *testing.T, s Store) {
	add(t, s, newRecord(1, recent()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRecord(1, recent())
	for name, call := range map[string]func() error{
		"Add":            func() error { _, _, err := s.Add(ctx, r); return err },
		"Record":         func() error { _, _, err := s.Record(ctx, r.SessionID); return err },
		"RecentRecord":   func() error { _, _, err := s.RecentRecord(ctx, r.SessionID); return err },
		"Replace":        func() error { _, err := s.Replace(ctx, r); return err },
		"Remove":         func() error { _, err := s.Remove(ctx, r); return err },
		"Latest":         func() error { _, err := s.Latest(ctx, owner, 10); return err },
		"ByOwner":        func() error { _, err := s.ByOwner(ctx, owner, 10); return err },
		"Enroll":         func() error { _, _, err := s.Enroll(ctx, r); return err },
		"Claim":          func() error { _, _, err := s.Claim(ctx, r.SessionID, time.Now(), time.Minute); return err },
		"Due":            func() error { _, err := ids(s.Due(ctx, r.Class(), time.Now())); return err },
		"MarkErased":     func() error { _, _, err := s.MarkErased(ctx, r); return err },
		"Strip":          func() error { return s.Strip(ctx, r.SessionID) },
		"Owned":          func() error { _, err := ids(s.Owned(ctx, owner)); return err },
		"AddToken":       func() error { return s.AddToken(ctx, r.SessionID, "token") },
		"Tokens":         func() error { _, err := s.Tokens(ctx, r.SessionID); return err },
		"RemoveToken":    func() error { return s.RemoveToken(ctx, r.SessionID, "token") },
		"TakeReadBudget": func() error { _, err := s.TakeReadBudget(ctx, verification.ReaderGet, time.Now(), 10); return err },
	} {
		err := call()
		if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeBackendUnavailable {
			t.Errorf("%s with a context that is done: got %v, want backend_unavailable", name, err)
		}
	}
}
