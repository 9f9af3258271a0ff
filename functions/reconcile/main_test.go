package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/verification"
)

func TestMain(m *testing.M) { stagetest.Main(m, "reconcile") }

// run invokes the function as its schedule does, and compares the answer.
func run(t *testing.T, w *stagetest.World, asked, changed, failed int) {
	t.Helper()
	want := fmt.Sprintf(`{"asked":%d,"changed":%d,"failed":%d}`, asked, changed, failed)
	if r := w.Call(t, stagetest.Event(t, "direct-schedule")); string(r.Payload) != want {
		t.Errorf("got %s, want %s\n%s", r.Payload, want, w.Logs())
	}
}

// left records a session that has been unchanged for that long, with another status at Didit.
func left(t *testing.T, w *stagetest.World, onRecord, atDidit string, age time.Duration, tokens ...string) string {
	t.Helper()
	id := w.Session(t, fmt.Sprintf("user-%d", len(w.Didit.Sessions())))
	w.SetStatus(t, id, atDidit)
	leave(t, w, id, onRecord, age, tokens...)
	return id
}

// leave is left for a session that Didit need not know.
func leave(t *testing.T, w *stagetest.World, id, onRecord string, age time.Duration, tokens ...string) {
	t.Helper()
	leaveDue(t, w, id, onRecord, age, 15*time.Minute, tokens...)
}

// leaveDue is leave for a session that is due so long after its last change.
func leaveDue(t *testing.T, w *stagetest.World, id, onRecord string, age, after time.Duration, tokens ...string) {
	t.Helper()
	r := stagetest.Record(id, "user-123", onRecord, age)
	r.DueFrom = r.CreatedAt.Add(after)
	if r.Awaited = len(tokens) > 0; r.Final() && !r.Awaited {
		r.DueFrom = time.Time{} // not due any more
	}
	w.Add(t, r)
	w.Wait(t, id, tokens...)
}

// again makes a session due again, and its last read old.
func again(t *testing.T, w *stagetest.World, r verification.Record) {
	t.Helper()
	r.DueFrom = time.Now().Add(-time.Minute)
	if written, err := w.Store.Replace(t.Context(), r); !written || err != nil {
		t.Fatal(written, err)
	}
	w.AgeRead(t, r.SessionID)
}

func wantRow(t *testing.T, w *stagetest.World, id, status string, due bool) verification.Record {
	t.Helper()
	r, _ := w.Row(t, id)
	if r.Status != status || r.DueFrom.IsZero() == due {
		t.Errorf("got a row at %q, due from %v, want %q, due %v", r.Status, r.DueFrom, status, due)
	}
	return r
}

// Ensure that sessions without a change for RECONCILE_AFTER are read at Didit, awaited or not, and
// that a missed status is published, recorded, and completes the waiting tasks.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"", "1m", "3h"} {
		w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"RECONCILE_AFTER": after}})
		wait := map[string]time.Duration{"": 15 * time.Minute, "1m": time.Minute, "3h": 3 * time.Hour}[after]
		left := func(onRecord, atDidit string, age time.Duration, tokens ...string) string {
			id := w.Session(t, fmt.Sprintf("user-%d", len(w.Didit.Sessions())))
			w.SetStatus(t, id, atDidit)
			leaveDue(t, w, id, onRecord, age, wait, tokens...)
			return id
		}
		// The young session must not become due if the test takes a minute on a busy machine.
		young := left("In Progress", "Approved", max(0, wait-5*time.Minute), "young")
		approved := left("In Progress", "Approved", wait+20*time.Second, "approved", "approved too")
		expired := left("Not Started", "Expired", wait+time.Hour, "expired")
		alone := left("Not Started", "In Review", wait+time.Minute)
		same := left("In Progress", "In Progress", wait+time.Minute, "same")
		leave(t, w, "99999999-2222-3333-4444-555555555555", "Approved", wait+time.Hour)

		run(t, w, 4, 3, 0)
		wantRow(t, w, young, "In Progress", true)
		wantRow(t, w, approved, "Approved", false)
		wantRow(t, w, expired, "Expired", false)
		wantRow(t, w, alone, "In Review", true)
		if r := wantRow(t, w, same, "In Progress", true); r.Asked != 1 {
			t.Errorf("asked in vain %d times, want 1", r.Asked)
		}
		for token, want := range map[string]string{"young": "", "approved": "success", "approved too": "success", "expired": "SessionExpired", "same": ""} {
			outcome, ended := w.Tasks.Outcome(token)
			if ended != (want != "") || ended && outcome.Failed != (want != "success") || outcome.Failed && outcome.Error != want {
				t.Errorf("task %s: got %v, %v, want %q", token, ended, outcome, want)
			}
		}
		types, details := w.Published(t)
		published := map[string]string{}
		for i, d := range details {
			published[d.SessionID] = types[i] + ": " + d.Status
		}
		want := map[string]string{}
		for id, status := range map[string]string{approved: "Approved", expired: "Expired", alone: "In Review"} {
			want[id] = "Verification Session Status Updated: " + status
		}
		if len(details) != 3 || !maps.Equal(published, want) {
			t.Errorf("got events %q, want %q", published, want)
		}
		if r, _ := w.Row(t, alone); time.Until(r.DueFrom) > wait || time.Until(r.DueFrom) < wait-time.Minute {
			t.Errorf("changed a moment ago: due in %v, want %v", time.Until(r.DueFrom), wait)
		}
		run(t, w, 0, 0, 0) // nothing is due again so soon
	}
}

// Ensure that a session is read less and less often, but at least once a day, and as often as
// before after a change.
func TestPauses(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	id := left(t, w, "In Progress", "In Progress", time.Hour)
	for i, pause := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		begin := time.Now().Truncate(time.Millisecond)
		run(t, w, 1, 0, 0)
		r := wantRow(t, w, id, "In Progress", true)
		asked := r.DueFrom.Add(-pause)
		if asked.Before(begin) || asked.After(time.Now()) || r.Asked != i+1 {
			t.Errorf("after %d questions in vain: due at %v, want %v after a time from %v to now", r.Asked, r.DueFrom, pause, begin)
		}
		again(t, w, r)
	}
	w.SetStatus(t, id, "In Review")
	begin := time.Now().Truncate(time.Millisecond)
	run(t, w, 1, 1, 0)
	if r := wantRow(t, w, id, "In Review", true); r.Asked != 0 || r.DueFrom.Before(begin.Add(15*time.Minute)) || r.DueFrom.After(time.Now().Add(15*time.Minute)) {
		t.Errorf("asked %d times, due from %v, want a time from %v to now", r.Asked, r.DueFrom, begin)
	}
}

// Ensure that a session is not read any more after 30 days, unless tasks wait on it.
func TestOld(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * time.Hour
	w := stagetest.New(t, lambdatest.Options{})
	young := left(t, w, "In Progress", "Approved", month-time.Hour)
	old := left(t, w, "In Progress", "Approved", month+time.Hour)
	awaited := left(t, w, "In Progress", "Approved", month+2*time.Hour, "token")
	run(t, w, 2, 2, 0)
	wantRow(t, w, young, "Approved", false)
	wantRow(t, w, old, "In Progress", false)
	wantRow(t, w, awaited, "Approved", false)
}

// Ensure that the tasks of a session that Didit no longer has fail with a named error after three
// such answers, and that it is not read again.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const unknown = "99999999-2222-3333-4444-777777777777"
	w := stagetest.New(t, lambdatest.Options{})
	leave(t, w, unknown, "In Progress", time.Hour, "one", "two")
	for n := range 3 {
		if n > 0 {
			r, _ := w.Row(t, unknown)
			if pause := time.Until(r.DueFrom); pause > 30*time.Minute || pause < 29*time.Minute || r.UnknownReads != n {
				t.Errorf("after %d answers: due in %v, counted %d", n, pause, r.UnknownReads)
			}
			r.UnknownSince = r.UnknownSince.Add(-30 * time.Minute)
			again(t, w, r)
		}
		other := left(t, w, "In Progress", "Approved", time.Hour)
		run(t, w, 2, 1, 0)
		wantRow(t, w, other, "Approved", false)
		for _, token := range []string{"one", "two"} {
			if outcome, ended := w.Tasks.Outcome(token); ended != (n == 2) || ended && outcome.Error != "SessionNotFound" {
				t.Errorf("%s after %d answers: got %v, %v, want SessionNotFound after the third", token, n+1, ended, outcome)
			}
		}
	}
	wantRow(t, w, unknown, "In Progress", false)
	if len(w.Tokens(t, unknown)) != 0 || len(w.Bus.Events()) != 3 {
		t.Errorf("tokens %q are left, %d events were published", w.Tokens(t, unknown), len(w.Bus.Events()))
	}
	run(t, w, 0, 0, 0)
}

// Ensure that a key that knows none of our sessions fails the run, which rings an alarm.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	for n := range 6 {
		leave(t, w, fmt.Sprintf("99999999-2222-3333-4444-77777777777%d", n), "In Progress", time.Hour)
	}
	r := w.Call(t, stagetest.Event(t, "direct-schedule"))
	if got := w.Didit.Count(didittest.OpDecision); got != 5 {
		t.Errorf("Didit was asked %d times, want 5", got)
	}
	if r.ErrorType != "InternalError" || !strings.Contains(string(w.Logs()), "is the key another application's?") {
		t.Errorf("got %q %s, want InternalError\n%s", r.ErrorType, r.Payload, w.Logs())
	}
}

// Ensure that tasks which a crash left waiting on a finished session are completed without a
// request to Didit.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	leave(t, w, "99999999-2222-3333-4444-555555555555", "Declined", time.Hour, "token")
	w.Tasks.Fail(awsfake.InternalError, 1) // repeated by the SDK
	run(t, w, 0, 0, 0)
	if outcome, ended := w.Tasks.Outcome("token"); !ended || !strings.Contains(outcome.Output, `"Declined"`) {
		t.Errorf("got %v, %s, want an output of Declined", ended, outcome.Output)
	}
	wantRow(t, w, "99999999-2222-3333-4444-555555555555", "Declined", false)
	if w.Didit.Count(didittest.OpAny) != 0 || w.Bus.Calls("") != 0 {
		t.Errorf("got %d requests to Didit and %d to the bus, want none", w.Didit.Count(didittest.OpAny), w.Bus.Calls(""))
	}
}

// Ensure that a run makes at most its half of the deployment's reads of a minute, the longest due
// sessions first.
func TestBudget(t *testing.T) {
	t.Parallel()
	const budget, taken, sessions = 5, 3, 4
	for { // until no new minute begins meanwhile
		w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"READS_PER_MINUTE": "10"}})
		var ids []string
		for i := range sessions {
			ids = append(ids, left(t, w, "In Progress", "Approved", 2*time.Hour-time.Duration(i)*time.Minute))
		}
		minute := w.TakeReads(t, verification.ReaderReconcile, taken, budget)
		r := w.Call(t, stagetest.Event(t, "direct-schedule"))
		if !stagetest.Minute().Equal(minute) {
			continue
		}
		const left = budget - taken
		if want := fmt.Sprintf(`{"asked":%d,"changed":%d,"failed":0}`, left, left); string(r.Payload) != want || w.Didit.Count(didittest.OpDecision) != left {
			t.Errorf("got %s after %d questions, want %s", r.Payload, w.Didit.Count(didittest.OpDecision), want)
		}
		for i, id := range ids {
			wantRow(t, w, id, []string{"Approved", "In Progress"}[i/left], i >= left)
		}
		return
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"TABLE_NAME": "", "EVENT_BUS_NAME": "", "DIDIT_SECRET_ID": "", "RECONCILE_AFTER": "1s"}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"TABLE_NAME", "EVENT_BUS_NAME", "DIDIT_SECRET_ID", "RECONCILE_AFTER"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

// Ensure that no token, secret or personal data reaches a log, an error or an answer, whatever
// fails.
func TestLeaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.New(t, lambdatest.Options{Env: env})
	w.Didit.SetCredentials("planted-id", "planted-secret", didittest.DefaultAPIKey)
	w.Secrets.Set(stage.SecretID, `{"client_id":"planted-id","client_secret":"planted-secret"}`)
	l := &stagetest.Leaks{World: w, Logged: []string{"planted", "user-", "Carmen", "Española", "CAA000000", "1980-01-01", "/session/", "Bearer ", "Basic "}}
	call := func(what string) {
		t.Helper()
		if r := l.Call(t, what, stagetest.Event(t, "direct-schedule")); strings.Contains(string(r.Payload), "planted") {
			t.Errorf("%s: got %s", what, r.Payload)
		}
	}
	tokens := 0
	due := func(status string) {
		tokens++
		left(t, w, "In Progress", status, time.Hour, fmt.Sprintf("planted-token-%d", tokens))
	}
	for _, status := range []string{"In Progress", "Approved", "Expired"} {
		due(status)
	}
	leave(t, w, "99999999-2222-3333-4444-777777777777", "In Progress", time.Hour, "planted-token")
	call("all well")
	for _, f := range []didittest.Fault{didittest.ServerError, didittest.ReadRateLimited, didittest.Forbidden, didittest.InvalidClientDescribed,
		{On: didittest.OpDecision, Status: 200, Body: `{"status":"planted\n","first_name":"planted"}`}} {
		due("Approved")
		w.Didit.RevokeTokens()
		w.Didit.Inject(f)
		call("Didit fails")
		w.Didit.ClearFaults()
	}
	for _, f := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.InternalError} {
		for _, fail := range []func(){func() { w.Table.Fail(f, 1) }, func() { w.Table.FailOnly("UpdateItem", f, 1) }, func() { w.Bus.Fail(f, 1) }, func() { w.Tasks.Fail(f, 1) }} {
			due("Approved")
			fail()
			call("AWS fails")
		}
	}
	l.Done(t)
	if !slices.ContainsFunc(w.LogLines(), func(line string) bool { return strings.Contains(line, "recovered from an error") }) {
		t.Error("nothing went wrong")
	}
}
