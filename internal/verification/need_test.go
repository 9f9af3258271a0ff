package verification_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// past is a session of someone's in the table.
type past struct {
	status   string
	ago      time.Duration
	workflow string // empty: the default one
	owner    string // empty: someone
	lost     bool   // Didit has come to not know it
}

func pastID(n int) string { return fmt.Sprintf("%08d-2222-3333-4444-555555555555", n) }

// withPast returns a creator whose Didit answers with the session, on a store with past sessions.
// They are numbered in their order.
func withPast(t *testing.T, policy verification.Policy, sessions ...past) (*verification.Creator, *system) {
	t.Helper()
	s := newSystem()
	for n, p := range sessions {
		r := verification.NewRecord(pastID(n), someone, workflow, p.status, noon().Add(-p.ago))
		if p.workflow != "" {
			r.WorkflowID = p.workflow
		}
		if p.owner != "" {
			r.VendorData = p.owner
		}
		if r.DueFrom, r.Unread = (time.Time{}), false; p.lost {
			r.UnknownSince, r.UnknownReads = noon(), 3
		}
		if _, _, err := s.store.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	policy.WorkflowIDs = []string{workflow, otherWorkflow}
	return &verification.Creator{
		Didit: made(nil), Policy: policy, Store: s.Store.(*backend), Now: s.clock.now, LookLimit: time.Hour, LogRecovered: s.LogRecovered,
	}, s
}

// many returns n finished sessions, the oldest first, of the last n minutes.
func many(n int, more ...past) (sessions []past) {
	for i := range n {
		sessions = append(sessions, past{status: "Declined", ago: time.Duration(n-i) * time.Minute})
	}
	return append(sessions, more...)
}

// Ensure that a signed-in user gets no session that is not needed, and learns which one stands.
func TestCreator_Create_need(t *testing.T) {
	t.Parallel()
	const minute, day = time.Minute, 24 * time.Hour
	reverify, biometric := verification.Policy{Reverify: true}, verification.Policy{BiometricWorkflowIDs: []string{workflow}}
	limit := func(n int) verification.Policy { return verification.Policy{SessionsPerDay: n} }
	for _, test := range []struct {
		name     string
		policy   verification.Policy
		sessions []past
		code     verification.Code
		session  int // number of the one that the refusal names
	}{
		{"first", limit(1), nil, "", 0},
		{"approved", verification.Policy{}, []past{{status: "Approved", ago: 900 * day}}, verification.CodeAlreadyVerified, 0},
		{"in review", verification.Policy{}, []past{{status: "In Review", ago: minute}}, verification.CodeInReview, 0},
		{"approved, then declined", verification.Policy{}, []past{{status: "Approved", ago: 2 * minute}, {status: "Declined", ago: minute}}, "", 0},
		{"declined, then approved", verification.Policy{}, []past{{status: "Declined", ago: 2 * minute}, {status: "Approved", ago: minute}}, verification.CodeAlreadyVerified, 1},
		{"expired verification", verification.Policy{}, []past{{status: "Kyc Expired", ago: minute}}, "", 0},
		{"unfinished", verification.Policy{}, []past{{status: "In Progress", ago: minute}}, "", 0},
		{"a status that is new", verification.Policy{}, []past{{status: "Thinking", ago: minute}}, "", 0},
		{"approved in another workflow", verification.Policy{}, []past{{status: "Approved", ago: minute, workflow: otherWorkflow}}, "", 0},
		{"another user is approved", verification.Policy{}, []past{{status: "Approved", ago: minute, owner: "user-124"}}, "", 0},
		{"another workflow after approved", verification.Policy{}, []past{{status: "Approved", ago: 2 * minute}, {status: "Declined", ago: minute, workflow: otherWorkflow}}, verification.CodeAlreadyVerified, 0},
		{"in review, unknown to Didit", verification.Policy{}, []past{{status: "In Review", ago: minute, lost: true}}, "", 0},
		{"approved, unknown to Didit", verification.Policy{}, []past{{status: "Approved", ago: minute, lost: true}}, verification.CodeAlreadyVerified, 0},
		{"approved, verified again", reverify, []past{{status: "Approved", ago: minute}}, "", 0},
		{"in review, verified again", reverify, []past{{status: "In Review", ago: minute}}, "", 0},
		{"approved, biometric", biometric, []past{{status: "Approved", ago: minute}}, "", 0},
		{"in review, biometric", biometric, []past{{status: "In Review", ago: minute}}, "", 0},

		{"below the limit", limit(3), many(2), "", 0},
		{"at the limit", limit(3), many(3), verification.CodeTooManySessions, -1},
		{"no limit", limit(0), many(99), "", 0},
		{"the largest limit", limit(100), many(99), "", 0},
		{"at the largest limit", limit(100), many(100), verification.CodeTooManySessions, -1},
		{"above the largest limit", limit(100), many(120), verification.CodeTooManySessions, -1},
		{"of all workflows", limit(2), []past{{status: "Declined", ago: 2 * minute, workflow: otherWorkflow}, {status: "Abandoned", ago: minute}}, verification.CodeTooManySessions, -1},
		{"of the user alone", limit(2), []past{{status: "Declined", ago: 2 * minute, owner: "user-124"}, {status: "Declined", ago: minute}}, "", 0},
		{"of a day", limit(2), []past{{status: "Declined", ago: day}, {status: "Declined", ago: minute}}, "", 0},
		{"of nearly a day", limit(2), []past{{status: "Declined", ago: day - time.Millisecond}, {status: "Declined", ago: minute}}, verification.CodeTooManySessions, -1},
		{"approved, above the limit", limit(2), many(2, past{status: "Approved"}), verification.CodeAlreadyVerified, 2},
		{"verified again, limited", verification.Policy{Reverify: true, SessionsPerDay: 3}, many(2, past{status: "Approved"}), verification.CodeTooManySessions, -1},
		{"biometric, limited", verification.Policy{BiometricWorkflowIDs: []string{workflow}, SessionsPerDay: 3}, many(2, past{status: "Approved"}), verification.CodeTooManySessions, -1},
		{"handed out again", limit(2), many(2, past{status: "Not Started"}), "", 0},
		{"handed out again, awaiting people", limit(2), many(2, past{status: "Awaiting User"}), "", 0},
		{"two unfinished", limit(2), many(2, past{status: "In Progress", ago: 2}, past{status: "Not Started"}), verification.CodeTooManySessions, -1},
		{"one unfinished in each workflow", limit(2), many(2, past{status: "In Progress", ago: 2, workflow: otherWorkflow}, past{status: "Not Started"}), "", 0},
		{"unfinished in another workflow", limit(2), many(2, past{status: "In Progress", workflow: otherWorkflow}), verification.CodeTooManySessions, -1},
		{"unfinished, but not the latest", limit(2), many(1, past{status: "In Progress", ago: 2}, past{status: "Declined"}), verification.CodeTooManySessions, -1},
		{"unfinished, unknown to Didit", limit(2), many(2, past{status: "Not Started", lost: true}), verification.CodeTooManySessions, -1},
		{"one of two unfinished is unknown to Didit", limit(2), many(2, past{status: "Not Started", ago: 2, lost: true}, past{status: "Not Started"}), "", 0},
		{"in review, which Didit never hands out again", verification.Policy{Reverify: true, SessionsPerDay: 2}, many(2, past{status: "In Review"}), verification.CodeTooManySessions, -1},
	} {
		c, s := withPast(t, test.policy, test.sessions...)
		asked := 0
		c.Didit = provider(func(ctx context.Context, r didit.SessionRequest) (didit.Session, error) {
			asked++
			return made(nil)(ctx, r)
		})
		got, err := c.Create(t.Context(), asOwner())
		wantCode(t, test.name, err, test.code)
		want(t, test.name+": calls of Didit", asked, map[bool]int{true: 1}[test.code == ""])
		want(t, test.name+": handed out", got.URL != "", test.code == "")
		want(t, test.name+": recovered from", s.troubles(), "")
		if test.code == "" {
			continue
		}
		if did := s.did(); did != "" {
			t.Errorf("%s: the refusal did %q, want nothing", test.name, did)
		}
		switch e := verification.AsError(err); {
		case test.session < 0:
			if e.Session != nil {
				t.Errorf("%s: got a session, want none", test.name)
			}
		case e.Session == nil || e.Session.SessionID != pastID(test.session) || e.Session.Status != test.sessions[test.session].status:
			t.Errorf("%s: got session %v, want %s, %s", test.name, e.Session, pastID(test.session), test.sessions[test.session].status)
		case e.RetryAfter != 0:
			t.Errorf("%s: got Retry-After %v, want none", test.name, e.RetryAfter)
		}
	}
}

// Ensure that a user who had too many sessions may have another one after exactly the time named,
// also if the limit was lowered meanwhile.
func TestCreator_Create_tooManyUntil(t *testing.T) {
	t.Parallel()
	for limit, until := range map[int]time.Duration{5: 24*time.Hour - 5*time.Minute, 2: 24*time.Hour - 2*time.Minute} {
		c, s := withPast(t, verification.Policy{SessionsPerDay: limit}, many(5)...)
		_, err := c.Create(t.Context(), asOwner())
		wantCode(t, "at noon", err, verification.CodeTooManySessions)
		want(t, "Retry-After", verification.AsError(err).RetryAfter, until)
		s.clock.pass(until - time.Millisecond)
		_, err = c.Create(t.Context(), asOwner())
		wantCode(t, "just before", err, verification.CodeTooManySessions)
		s.clock.pass(time.Millisecond)
		_, err = c.Create(t.Context(), asOwner())
		wantCode(t, "then", err, "")
	}
}

// Ensure that nothing is looked up for trusted callers, for requests that are refused anyway, and
// without a table.
func TestCreator_Create_needNot(t *testing.T) {
	t.Parallel()
	approved := past{status: "Approved"}
	c, s := withPast(t, verification.Policy{SessionsPerDay: 1}, approved)
	named := verification.Value{Kind: verification.KindObject, Members: []verification.Member{
		{Name: "vendor_data", Value: verification.Value{Kind: verification.KindString, Text: someone}}}}
	s.refuse["Latest"] = down()
	_, err := c.Create(t.Context(), verification.CreateRequest{Caller: trusted, Fields: named})
	wantCode(t, "trusted", err, "")
	foreign := asOwner()
	foreign.Caller.Principal = "user-124"
	foreign.Fields = named
	_, err = c.Create(t.Context(), foreign)
	wantCode(t, "another user's", err, verification.CodeVendorDataMismatch)
	want(t, "looked up", s.troubles(), "")
	c.Store = nil
	_, err = c.Create(t.Context(), asOwner())
	wantCode(t, "no table", err, "")
}

// Ensure that a list that cannot be had costs a log line and at most a second, and no session.
func TestCreator_Create_needUnknown(t *testing.T) {
	t.Parallel()
	c, s := withPast(t, verification.Policy{SessionsPerDay: 1}, past{status: "Approved"})
	s.refuse["Latest"] = down()
	got, err := c.Create(t.Context(), asOwner())
	wantCode(t, "list fails", err, "")
	want(t, "session", got.ID, session)
	want(t, "recovered from", s.troubles(), "backend_unavailable")

	synctest.Test(t, func(t *testing.T) {
		c, s := withPast(t, verification.Policy{}, past{status: "Approved"})
		c.LookLimit = 0
		c.Store = silent{c.Store}
		begin := time.Now()
		_, err := c.Create(t.Context(), asOwner())
		wantCode(t, "list is silent", err, "")
		want(t, "waited", time.Since(begin), time.Second)
		want(t, "recovered from", s.troubles(), "backend_unavailable")
	})
}

// silent is a store whose list gives no answer.
type silent struct{ verification.Recorder }

func (silent) Latest(ctx context.Context, _ string, _ int) ([]verification.Record, error) {
	<-ctx.Done()
	return nil, down()
}

// Ensure that an unfinished session is in doubt and due at once if Didit hands out a new one
// instead, and only then, and that a read settles it.
func TestCreator_Create_doubt(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	reverify := verification.Policy{Reverify: true}
	for _, test := range []struct {
		name     string
		policy   verification.Policy
		sessions []past
		hands    int // number of the session that Didit hands out; -1: a new one
		doubted  int // number of the session that is in doubt then; -1: none
	}{
		{"a new one", verification.Policy{}, []past{{status: "In Progress", ago: minute}}, -1, 0},
		{"a new one, to one that people must go on with", verification.Policy{}, []past{{status: "Awaiting User", ago: minute}}, -1, 0},
		{"the same", verification.Policy{}, []past{{status: "In Progress", ago: minute}}, 0, -1},
		{"an older one", verification.Policy{}, []past{{status: "In Progress", ago: 2 * minute}, {status: "Not Started", ago: minute}}, 0, -1},
		{"a new one beside two", verification.Policy{}, []past{{status: "In Progress", ago: 2 * minute}, {status: "Not Started", ago: minute}}, -1, 1},
		{"a new one after a finished one", verification.Policy{}, []past{{status: "Declined", ago: minute}}, -1, -1},
		{"a new one after an approved one", reverify, []past{{status: "Approved", ago: minute}}, -1, -1},
		{"a new one during a review", reverify, []past{{status: "In Review", ago: minute}}, -1, -1},
		{"a new one after one that Didit does not know", verification.Policy{}, []past{{status: "Not Started", ago: minute, lost: true}}, -1, -1},
		{"a new one in another workflow", verification.Policy{}, []past{{status: "Not Started", ago: minute, workflow: otherWorkflow}}, -1, -1},
	} {
		c, s := withPast(t, test.policy, test.sessions...)
		if test.hands >= 0 {
			c.Didit = made(func(s *didit.Session) { s.ID = pastID(test.hands) })
		}
		got, err := c.Create(t.Context(), asOwner())
		wantCode(t, test.name, err, "")
		want(t, test.name+": known", got.Known, test.hands >= 0)
		for n := range test.sessions {
			r := s.stored(t, pastID(n))
			doubted := n == test.doubted
			if r.DoubtAt.IsZero() == doubted || doubted && (!r.DoubtAt.Equal(noon()) || r.Class() != verification.ClassUnread || !slices.Contains(due(s.store, noon()), r.SessionID)) {
				t.Errorf("%s: session %d is in doubt since %v and due from %v, want doubt: %v", test.name, n, r.DoubtAt, r.DueFrom, doubted)
			}
		}
		if test.doubted < 0 {
			continue
		}
		s.clock.pass(2 * time.Second)
		s.wire.set(says("Approved"))
		shown, err := s.Status(t.Context(), owner, pastID(test.doubted))
		wantCode(t, test.name+": read", err, "")
		want(t, test.name+": status", shown.Status, "Approved")
		if r := s.stored(t, pastID(test.doubted)); !r.DoubtAt.IsZero() {
			t.Errorf("%s: the read left the doubt of %v", test.name, r.DoubtAt)
		}
	}
}

// Ensure that a doubt that cannot be written costs no session, and that a decision that arrived
// meanwhile stands.
func TestCreator_Create_doubtTrouble(t *testing.T) {
	t.Parallel()
	c, s := withPast(t, verification.Policy{}, past{status: "In Progress", ago: time.Minute})
	s.refuse["Replace"] = down()
	got, err := c.Create(t.Context(), asOwner())
	wantCode(t, "write fails", err, "")
	want(t, "session", got.ID, session)
	want(t, "recovered from", s.troubles(), "backend_unavailable")

	c, s = withPast(t, verification.Policy{}, past{status: "In Progress", ago: time.Minute})
	s.store.Conflict(1)
	_, err = c.Create(t.Context(), asOwner())
	wantCode(t, "another writer", err, "")
	want(t, "in doubt since noon", s.stored(t, pastID(0)).DoubtAt, noon())

	c, s = withPast(t, verification.Policy{}, past{status: "In Progress", ago: time.Minute})
	c.Didit = provider(func(ctx context.Context, r didit.SessionRequest) (didit.Session, error) {
		decided := s.stored(t, pastID(0))
		decided.Status = "Approved"
		if ok, err := s.store.Replace(ctx, decided); !ok || err != nil {
			t.Error(ok, err)
		}
		return made(nil)(ctx, r)
	})
	_, err = c.Create(t.Context(), asOwner())
	wantCode(t, "decided meanwhile", err, "")
	if r := s.stored(t, pastID(0)); !r.DoubtAt.IsZero() || !r.DueFrom.IsZero() {
		t.Errorf("decided meanwhile: in doubt since %v, due from %v, want neither", r.DoubtAt, r.DueFrom)
	}
}

// Ensure that what the list shows suffices: the whole records are not asked for.
func TestCreator_Create_needOneQuery(t *testing.T) {
	t.Parallel()
	c, s := withPast(t, verification.Policy{SessionsPerDay: 2}, many(1, past{status: "In Progress"})...)
	s.change(t, pastID(1), func(r *verification.Record) { r.DueFrom = noon().Add(time.Hour) })
	s.refuse["Record"], s.refuse["ByOwner"], s.refuse["Replace"] = down(), down(), down()
	c.Didit = made(func(s *didit.Session) { s.ID = pastID(1) })
	_, err := c.Create(t.Context(), asOwner())
	wantCode(t, "handed out again", err, "")
	want(t, "recovered from", s.troubles(), "")
}
