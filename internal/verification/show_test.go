package verification_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// Ensure that a session is shown to its owner and to the trusted, and that no one else can tell it
// from one that does not exist, nor makes Didit be asked.
func TestTracker_Status_owner(t *testing.T) {
	t.Parallel()
	const ownerless, absent = "99999999-2222-3333-4444-00000000000a", "99999999-2222-3333-4444-00000000000b"
	for _, test := range []struct {
		name   string
		caller verification.Caller
		id     string
		code   verification.Code
	}{
		{"owner", owner, session, ""},
		{"owner, upper case", owner, strings.ToUpper(session), ""},
		{"trusted", trusted, session, ""},
		{"trusted, no owner", trusted, ownerless, ""},
		{"trusted, with another name", verification.Caller{Trusted: true, Principal: "x"}, session, ""},
		{"another user", verification.Caller{Principal: "user-124"}, session, verification.CodeNotFound},
		{"no principal", verification.Caller{}, session, verification.CodeNotFound},
		{"no principal, no owner", verification.Caller{}, ownerless, verification.CodeNotFound},
		{"owner, no owner", owner, ownerless, verification.CodeNotFound},
		{"unknown", owner, absent, verification.CodeNotFound},
		{"unknown, trusted", trusted, absent, verification.CodeNotFound},
		{"no id", trusted, "", verification.CodeNotFound},
		{"no UUID", trusted, "../" + session, verification.CodeNotFound},
	} {
		s := newSystem()
		s.wire.set(says("In Progress"))
		s.record(t, session, nil)
		s.record(t, ownerless, func(r *verification.Record) { r.VendorData = "" })
		s.clock.pass(time.Hour)
		r, err := s.Status(t.Context(), test.caller, test.id)
		wantCode(t, test.name, err, test.code)
		if test.code == "" {
			want(t, test.name+": session", r.SessionID, strings.ToLower(test.id))
			continue
		}
		want(t, test.name+": record", r.SessionID+r.Status, "")
		want(t, test.name+": the problem's sentence", verification.AsError(err).Detail, "There is no such session.")
		want(t, test.name+": requests to Didit", s.wire.count(), 0)
	}
}

// Ensure that only a record that is not final, and older than a minute, is brought up to date.
func TestTracker_Status_stale(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status string
		age    time.Duration
		asked  int
	}{
		{"fresh", "In Progress", 0, 0},
		{"a minute", "In Progress", time.Minute, 0},
		{"more than a minute", "In Progress", time.Minute + time.Millisecond, 1},
		{"not started", "Not Started", 10 * time.Minute, 1},
		{"unknown status", "Under Appeal", 10 * time.Minute, 1},
		{"approved", "Approved", 24*time.Hour - time.Millisecond, 0},
		{"approved a day ago", "Approved", 24 * time.Hour, 1},
		{"expired", "Expired", 1000 * time.Hour, 1},
	} {
		s := newSystem()
		s.wire.set(says(test.status))
		s.record(t, session, func(r *verification.Record) {
			if r.Status = test.status; r.Final() {
				r.DueFrom = time.Time{}
			}
		})
		due := s.stored(t, session).DueFrom
		s.clock.pass(test.age)
		r, err := s.Status(t.Context(), owner, session)
		wantCode(t, test.name, err, "")
		want(t, test.name+": status", r.Status, test.status)
		want(t, test.name+": requests to Didit", s.wire.count(), test.asked)
		want(t, test.name+": published", len(s.bus.Published()), 0)
		if test.asked > 0 {
			want(t, test.name+": confirmed at", r.CheckedAt, s.clock.now())
			want(t, test.name+": status of", r.StatusAt, noon())
		}
		if _, err = s.Status(t.Context(), owner, session); err != nil || s.wire.count() != test.asked {
			t.Errorf("%s, again: got error %v and %d requests to Didit, want %d", test.name, err, s.wire.count(), test.asked)
		}
		want(t, test.name+": due from", s.stored(t, session).DueFrom, due)
	}
}

// Ensure that a new status is published before it is recorded, and recorded before tasks are ended.
func TestTracker_Status_changed(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Awaited = true })
	s.tasks.Open(token)
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(time.Hour + 700*time.Millisecond)
	s.wire.set(func(id string, _ *http.Request) response {
		s.clock.pass(3 * time.Second) // a read counts as of its start
		return response{status: 200, body: `{"session_id":"` + id + `","status":"Approved","vendor_data":"another user",` +
			`"workflow_id":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","features":["LIVENESS"],"liveness_checks":[{"status":"Approved"}]}`}
	})
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "calls", s.did(), "Claim, TakeReadBudget, Decision, Publish Approved, Replace Approved, Succeed, RemoveToken, Replace Approved")
	want(t, "task", s.ended(token), "Approved")
	at := noon().Add(time.Hour)
	if r.Status != "Approved" || !r.StatusAt.Equal(at) || r.Source != verification.SourceRead || r.VendorData != someone || r.WorkflowID != workflow || len(r.Checks) != 1 {
		t.Errorf("got %v of %v from a %s with %d checks, want what Didit says, of %v", r, r.StatusAt, r.Source, len(r.Checks), at)
	}
	e := s.bus.Published()[0]
	if !strings.HasPrefix(e.ID, "read:") || !e.Recorded || e.DataUpdated || e.VendorData != someone || e.WorkflowID != workflow || !e.OccurredAt.Equal(at) || len(e.Checks) != 1 {
		t.Errorf("got %v of %v published, want what was read, of %v, and whose it is", e, e.OccurredAt, at)
	}
	// What comes back from the bus is seen already.
	s.did()
	wantCode(t, "Track", s.Track(t.Context(), e), "")
	want(t, "calls of Track", s.did(), "")
}

// Ensure that a read does not take back what was delivered of its second.
func TestTracker_Status_overtaken(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	at := s.clock.now()
	s.wire.set(func(id string, r *http.Request) response {
		if err := s.track(t, "e1", "Approved", at); err != nil {
			t.Error(err)
		}
		return says("In Progress")(id, r)
	})
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "status", r.Status, "Approved")
	want(t, "published", len(s.bus.Published()), 0)
}

// Ensure that a read that loses only because it began in the second of the standing event confirms
// nothing: the next request asks again.
func TestTracker_Status_sameSecond(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	at := s.clock.now()
	wantCode(t, "Track", s.track(t, "e1", "In Progress", at), "")
	aged := s.stored(t, session) // as if the event had been written long ago, by a clock behind Didit's
	aged.CheckedAt = noon()
	if ok, err := s.store.Replace(t.Context(), aged); !ok || err != nil {
		t.Fatal(ok, err)
	}
	before := s.stored(t, session)
	for _, request := range []string{"first", "second"} {
		s.did()
		r, err := s.Status(t.Context(), owner, session)
		wantCode(t, request, err, "")
		want(t, request+": status", r.Status, "In Progress")
		want(t, request+": calls", s.did(), map[string]string{"first": "Claim, TakeReadBudget, Decision", "second": "Claim"}[request])
		after := s.stored(t, session)
		want(t, request+": confirmed at", after.CheckedAt, before.CheckedAt)
		want(t, request+": due from", after.DueFrom, before.DueFrom)
	}
	s.clock.pass(time.Minute)
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "in the next minute", err, "")
	want(t, "in the next minute: status", r.Status, "Approved")
}

// Ensure that an error is logged, and that the caller gets the record.
func TestTracker_Status_trouble(t *testing.T) {
	t.Parallel()
	throttled := func(string, *http.Request) response { return response{status: 429, body: `{}`, retryAfter: "42"} }
	for _, test := range []struct {
		name    string
		call    string
		didit   func(string, *http.Request) response
		trouble string
		status  string
		calls   string
	}{
		{"the budget cannot be read", "TakeReadBudget", says("Approved"), "backend_unavailable", "Not Started", "Claim"},
		{"Didit is down", "", fails(503), "didit_unavailable", "Not Started", "Claim, TakeReadBudget, Decision"},
		{"Didit knows no such session", "", fails(404), "not_found", "Not Started", "Claim, TakeReadBudget, Decision, Replace Not Started"},
		{"Didit throttles", "", throttled, "throttled", "Not Started", "Claim, TakeReadBudget, Decision"},
		{"Didit refuses", "", fails(401), "credentials_rejected", "Not Started", "Claim, TakeReadBudget, Decision"},
		{"the bus is out of reach", "Publish", says("Approved"), "backend_unavailable", "Not Started", "Claim, TakeReadBudget, Decision"},
		{"the table cannot be written", "Replace", says("Approved"), "backend_unavailable", "Not Started", "Claim, TakeReadBudget, Decision, Publish Approved"},
		{"the tasks are out of reach", "Succeed", says("Approved"), "backend_unavailable", "Approved", "Claim, TakeReadBudget, Decision, Publish Approved, Replace Approved"},
	} {
		s := newSystem()
		s.wire.set(test.didit)
		s.record(t, session, func(r *verification.Record) { r.Awaited = true })
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
		s.clock.pass(time.Hour)
		if test.call != "" {
			s.refuse[test.call] = down()
		}
		r, err := s.Status(t.Context(), owner, session)
		wantCode(t, test.name, err, "")
		want(t, test.name+": status", r.Status, test.status)
		want(t, test.name+": session", r.SessionID, session)
		want(t, test.name+": told", s.troubles(), test.trouble)
		want(t, test.name+": calls", s.did(), test.calls)
	}
	s := newSystem()
	s.refuse["Record"] = down()
	_, err := s.Status(t.Context(), owner, session)
	wantCode(t, "the table is out of reach", err, verification.CodeBackendUnavailable)
}

// Ensure that a session is read once a minute, whatever comes of it.
func TestTracker_Status_oncePerMinute(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(string, *http.Request) response{
		"down": fails(503), "refused": fails(401), "unchanged": says("Not Started"), "unreadable": says(""), "reset": func(string, *http.Request) response {
			return response{err: errors.New("connection reset")}
		},
	} {
		s := newSystem()
		s.wire.set(answer)
		s.record(t, session, nil)
		s.clock.pass(time.Hour)
		for second := range 61 {
			if r, err := s.Status(t.Context(), owner, session); err != nil || r.Status != "Not Started" {
				t.Fatalf("%s: got %v, error %v, want the record as it is", name, r, err)
			}
			if second < 60 {
				want(t, name+": reads in a minute", strings.Count(s.did(), "Decision"), map[bool]int{true: 1}[second == 0])
			}
			s.clock.pass(time.Second)
		}
		s.clock.pass(time.Millisecond)
		s.did()
		if _, err := s.Status(t.Context(), owner, session); err != nil {
			t.Error(err)
		}
		wantReads := 1
		if name != "unchanged" { // read a second ago
			wantReads = 0
		}
		want(t, name+": a second later", strings.Count(s.did(), "Decision"), wantReads)
	}
}

// Ensure that callers get half of the deployment's reads in a minute, and final statuses a quarter,
// and that a process that saw none left does not ask the table again.
func TestTracker_Status_budget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		reads          int
		version        didit.Version
		status         string
		allowed, asked int
	}{
		{"v2", 0, didit.V2, "In Progress", 25, 26},
		{"v3", 0, didit.V3, "In Progress", 150, 151},
		{"configured", 4, didit.V3, "In Progress", 2, 3},
		{"v2, final", 0, didit.V2, "Approved", 13, 14},
		{"the least, final", 2, didit.V3, "Approved", 1, 2},
	} {
		s := newSystem()
		s.didit.Version, s.ReadsPerMinute = test.version, test.reads
		s.wire.set(fails(503)) // so that no answer makes a record fresh
		for n := range 160 {
			s.record(t, numbered(n), func(r *verification.Record) { r.Status = test.status })
		}
		s.clock.pass(24 * time.Hour)
		read := func() (reads, asked int) {
			for n := range 160 {
				if _, err := s.Status(t.Context(), owner, numbered(n)); err != nil {
					t.Fatal(err)
				}
			}
			did := s.did()
			return strings.Count(did, "Decision"), strings.Count(did, "TakeReadBudget")
		}
		reads, asked := read()
		want(t, test.name+": reads in a minute", reads, test.allowed)
		want(t, test.name+": questions to the table", asked, test.asked)
		s.clock.pass(time.Minute)
		reads, _ = read()
		want(t, test.name+": reads in the next", reads, test.allowed)
	}
}

// Ensure that final statuses leave half of the reads to the others.
func TestTracker_Status_budgetShared(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.ReadsPerMinute = 8
	s.wire.set(fails(503))
	for n := range 10 {
		s.record(t, numbered(n), func(r *verification.Record) { r.Status = []string{"Approved", "In Progress"}[n/5] })
	}
	s.clock.pass(24 * time.Hour)
	for n := range 10 {
		if _, err := s.Status(t.Context(), owner, numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "asked about", strings.Join(s.wire.asked, " "), strings.Join([]string{numbered(0), numbered(1), numbered(5), numbered(6)}, " "))
}

// Ensure that no caller waits long for a Didit that is silent.
func TestTracker_Status_silence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSystem()
		s.limited()
		s.wire.set(func(_ string, r *http.Request) response {
			<-r.Context().Done()
			return response{err: r.Context().Err()}
		})
		s.record(t, session, nil)
		s.clock.pass(time.Hour)
		start := time.Now()
		r, err := s.Status(t.Context(), owner, session)
		wantCode(t, "Status", err, "")
		want(t, "status", r.Status, "Not Started")
		// Of 5 s a quarter is kept for writing down what Didit says.
		want(t, "waited", time.Since(start), 3750*time.Millisecond)
		want(t, "told", s.troubles(), "didit_timeout")
	})
}

func TestTracker_List(t *testing.T) {
	t.Parallel()
	s := newSystem()
	for n := range 12 {
		s.record(t, fmt.Sprintf("99999999-2222-3333-4444-%012d", n), nil)
		s.clock.pass(time.Second)
	}
	s.record(t, session, func(r *verification.Record) { r.VendorData = "user-124" })
	s.clock.pass(time.Hour) // stale, and yet Didit is not asked
	for _, test := range []struct {
		name       string
		caller     verification.Caller
		vendorData string
		code       verification.Code
		field      string
		count      int
	}{
		{"own", owner, "", "", "", 10},
		{"own, by name", owner, someone, "", "", 10},
		{"another user's", owner, "user-124", verification.CodeVendorDataMismatch, "vendor_data", 0},
		{"no principal", verification.Caller{}, "", verification.CodeInvalidRequest, "vendor_data", 0},
		{"trusted", trusted, "user-124", "", "", 1},
		{"trusted, no owner named", trusted, "", verification.CodeInvalidRequest, "vendor_data", 0},
		{"trusted with a principal, no owner named", verification.Caller{Trusted: true, Principal: someone}, "", verification.CodeInvalidRequest, "vendor_data", 0},
		{"trusted, unknown", trusted, "user-125", "", "", 0},
		{"trusted, the longest", trusted, strings.Repeat("x", verification.MaxVendorData), "", "", 0},
		{"trusted, too long", trusted, strings.Repeat("x", verification.MaxVendorData+1), verification.CodeInvalidRequest, "vendor_data", 0},
	} {
		records, err := s.List(t.Context(), test.caller, test.vendorData)
		wantCode(t, test.name, err, test.code)
		want(t, test.name+": sessions", len(records), test.count)
		if e := verification.AsError(err); test.field != "" && (len(e.Fields) != 1 || e.Fields[0].Field != test.field) {
			t.Errorf("%s: got fields %v, want %s", test.name, e.Fields, test.field)
		}
		if test.count == 10 {
			want(t, test.name+": first", records[0].SessionID, "99999999-2222-3333-4444-000000000011")
			want(t, test.name+": last", records[9].SessionID, "99999999-2222-3333-4444-000000000002")
		}
	}
	want(t, "requests to Didit", s.wire.count(), 0)
	s.refuse["ByOwner"] = down()
	_, err := s.List(context.Background(), owner, "")
	wantCode(t, "the table is out of reach", err, verification.CodeBackendUnavailable)
}

// Ensure that the latest approved session of each workflow stays listed among the newest hundred.
func TestTracker_List_approved(t *testing.T) {
	t.Parallel()
	const other = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	s := newSystem()
	approve := func(n int, workflow string) {
		s.record(t, numbered(n), func(r *verification.Record) { r.Status, r.WorkflowID = "Approved", workflow })
		s.clock.pass(time.Second)
	}
	for n := range 5 {
		approve(n, []string{workflow, other, workflow, other, workflow}[n])
	}
	for n := 5; n < 25; n++ {
		s.record(t, numbered(n), nil)
		s.clock.pass(time.Second)
	}
	list := func() (ids []string) {
		records, err := s.List(t.Context(), owner, "")
		wantCode(t, "List", err, "")
		for _, r := range records {
			ids = append(ids, r.SessionID)
		}
		return ids
	}
	got := list()
	want(t, "sessions", len(got), 12)
	want(t, "the last two", strings.Join(got[10:], " "), numbered(4)+" "+numbered(3))
	approve(25, workflow)
	got = list()
	want(t, "sessions", len(got), 11)
	want(t, "the last", got[10], numbered(3))
	for n := 26; n < 110; n++ {
		s.record(t, numbered(n), nil)
		s.clock.pass(time.Second)
	}
	got = list()
	want(t, "sessions among a hundred newer ones", len(got), 11)
	want(t, "the last of them", got[10], numbered(25))
}

// Ensure that a record is read as of now until it is found settled, and from then on as it was a
// moment ago, by the process that found it so and for as long as it stays so.
func TestTracker_Status_settled(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	status := func(tracker *verification.Tracker, what, wanted string) {
		t.Helper()
		r, err := tracker.Status(t.Context(), owner, session)
		wantCode(t, what, err, "")
		want(t, what, r.Status, wanted)
	}
	n := 0
	change := func(status string) {
		t.Helper()
		n++
		s.clock.pass(10 * time.Second)
		wantCode(t, status, s.track(t, fmt.Sprint("e", n), status, s.clock.now()), "")
	}
	status(s.Tracker, "not started", "Not Started")
	s.store.Lag(true)
	change("Approved")
	status(s.Tracker, "approved behind the copy", "Approved")
	s.store.Lag(true)
	change("Declined")
	status(s.Tracker, "settled, by the process that knows", "Approved")
	status(&verification.Tracker{Store: s.Store, Now: s.clock.now}, "settled, by another process", "Declined")
	s.store.Lag(false)
	status(s.Tracker, "settled, a moment later", "Declined")
	change("Resubmitted")
	status(s.Tracker, "not settled any more", "Resubmitted")
	s.store.Lag(true)
	change("Approved")
	status(s.Tracker, "settled again behind the copy", "Approved")
	s.refuse = map[string]error{"RecentRecord": verification.NewError(verification.CodeBackendUnavailable, "down")}
	_, err := s.Status(t.Context(), owner, session)
	wantCode(t, "a copy that cannot be read", err, verification.CodeBackendUnavailable)
}

// Ensure that what Didit confirms is known in more detail, and that its time does not move.
func TestTracker_Status_confirmed(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Review", noon()), "")
	s.clock.pass(time.Hour)
	s.wire.set(func(id string, _ *http.Request) response {
		return response{status: 200, body: `{"session_id":"` + id + `","status":"In Review","features":["LIVENESS"],"liveness_checks":[{"status":"Approved"}]}`}
	})
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	if len(r.Checks) != 1 || r.Checks[0].Feature != "LIVENESS" || !r.StatusAt.Equal(noon()) || r.Source != verification.SourceEvent {
		t.Errorf("got %d checks and a status of %v from an %s, want Didit's check, and the event's status", len(r.Checks), r.StatusAt, r.Source)
	}
}

// Ensure that the caller gets what was read first where the table is lost later.
func TestTracker_Status_tableLost(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	s.wire.set(func(id string, r *http.Request) response {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse["Record"] = down()
		return says("Approved")(id, r)
	})
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "record", r.SessionID+" "+r.Status, session+" Not Started")
	want(t, "told", s.troubles(), "backend_unavailable")
}
