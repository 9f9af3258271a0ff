package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// awaited puts the session on record with tasks that wait on it, as awaitdecision does.
func awaited(t *testing.T, w *stagetest.World, tokens ...string) {
	t.Helper()
	r := stagetest.Record(sessionID, "user-123", "In Progress", time.Minute)
	r.Awaited = true
	w.Add(t, r)
	w.Wait(t, sessionID, tokens...)
}

// Ensure that each final status completes every waiting task as workflows expect, that no other
// status does, and that the tokens of completed tasks are deleted.
func TestTasks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ status, outcome string }{
		{"Approved", "success"}, {"Declined", "success"}, {"Kyc Expired", "success"},
		{"Expired", "SessionExpired"}, {"Abandoned", "SessionAbandoned"},
		{"Not Started", ""}, {"In Progress", ""}, {"In Review", ""}, {"Resubmitted", ""}, {"Awaiting User", ""}, {"Something New", ""},
	} {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			awaited(t, w, "one", "two", "three")
			for range 2 {
				track(t, w, event(t, "e1", test.status, 0))
			}
			for _, token := range []string{"one", "two", "three"} {
				outcome, ended := w.Tasks.Outcome(token)
				want := output{sessionID, "user-123", stage.Workflow, test.status}
				switch {
				case ended != (test.outcome != ""):
					t.Errorf("%s: ended: %v, want %v", token, ended, test.outcome != "")
				case test.outcome == "success" && (outcome.Failed || decode(t, outcome.Output) != want):
					t.Errorf("%s: got %v %s, want %+v", token, outcome, outcome.Output, want)
				case ended && test.outcome != "success" && (outcome.Error != test.outcome || outcome.Cause == ""):
					t.Errorf("%s: got %v, cause %q, want %s", token, outcome, outcome.Cause, test.outcome)
				}
			}
			left, calls := 0, 3
			if test.outcome == "" {
				left, calls = 3, 0
			}
			if got := len(w.Tokens(t, sessionID)); got != left || w.Tasks.Calls("") != calls {
				t.Errorf("%d tokens are left after %d requests, want %d after %d", got, w.Tasks.Calls(""), left, calls)
			}
			if r := wantRow(t, w, test.status); r.DueFrom.IsZero() != (test.outcome != "") {
				t.Errorf("due from %v", r.DueFrom)
			}
		})
	}
}

// Ensure that a task ends with the recorded status, not with that of a late event.
func TestTasks_late(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	awaited(t, w)
	track(t, w, event(t, "e2", "Declined", 10))
	w.Wait(t, sessionID, "token")
	track(t, w, event(t, "e1", "Approved", 0))
	if outcome, ended := w.Tasks.Outcome("token"); !ended || decode(t, outcome.Output).Status != "Declined" {
		t.Errorf("got %v, %v, %s, want an output of Declined", ended, outcome, outcome.Output)
	}
}

// Ensure that the function fails if Step Functions fails, so that Lambda retries the event, that
// the status is recorded anyway, and that the retry completes the waiting tasks.
func TestTasks_trouble(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault awsfake.Fault
		want  string
	}{
		{awsfake.Throttled, "BackendUnavailable"}, {awsfake.InternalError, "BackendUnavailable"}, {awsfake.Reset, "BackendUnavailable"},
		{awsfake.AccessDenied, "InternalError"}, {awsfake.KeyDenied, "InternalError"},
	} {
		for _, status := range []string{"Approved", "Expired"} {
			w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
			awaited(t, w, "one", "two", "three")
			w.Tasks.FailOnly("two", test.fault, awsfake.UntilCleared)
			for range 2 {
				if r := w.Call(t, event(t, "e1", status, 0)); r.ErrorType != test.want {
					t.Errorf("fault %d: got %q %s, want %s", test.fault, r.ErrorType, r.ErrorMessage, test.want)
				}
			}
			if r := wantRow(t, w, status); r.DueFrom.IsZero() {
				t.Error("after a failed task the session is not due any more")
			}
			for token, want := range map[string]bool{"one": true, "two": false, "three": true} {
				if _, ended := w.Tasks.Outcome(token); ended != want {
					t.Errorf("fault %d: task %s ended: %v, want %v", test.fault, token, ended, want)
				}
			}
			w.Tasks.ClearFaults()
			track(t, w, event(t, "e1", status, 0))
			if _, ended := w.Tasks.Outcome("two"); !ended || len(w.Tokens(t, sessionID)) != 0 {
				t.Errorf("fault %d: after the retry: ended %v, tokens %q", test.fault, ended, w.Tokens(t, sessionID))
			}
			if r := wantRow(t, w, status); !r.DueFrom.IsZero() {
				t.Errorf("due from %v, want not due", r.DueFrom)
			}
		}
	}
}

// Ensure that a closed task counts as completed.
func TestTasks_closed(t *testing.T) {
	t.Parallel()
	for _, fault := range []awsfake.Fault{awsfake.TaskTimedOut, awsfake.TaskDoesNotExist, awsfake.InvalidToken} {
		w := stagetest.New(t, lambdatest.Options{})
		awaited(t, w, "one", "two")
		w.Tasks.FailOnly("one", fault, awsfake.UntilCleared)
		track(t, w, event(t, "e1", "Approved", 0))
		if _, ended := w.Tasks.Outcome("two"); !ended || len(w.Tokens(t, sessionID)) != 0 {
			t.Errorf("fault %d: the other task ended: %v, tokens left: %q", fault, ended, w.Tokens(t, sessionID))
		}
	}
}

// Ensure that the function fails if any step on the table fails, and that the retry makes up for
// it.
func TestTableFaults(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetItem", "UpdateItem", "Query", "DeleteItem"} {
		for _, test := range []struct {
			fault awsfake.Fault
			want  string
		}{{awsfake.Throttled, "BackendUnavailable"}, {awsfake.Reset, "BackendUnavailable"}, {awsfake.AccessDenied, "InternalError"}, {awsfake.NotFound, "InternalError"}} {
			w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
			awaited(t, w, "token")
			w.Table.FailOnly(operation, test.fault, 1)
			if r := w.Call(t, event(t, "e1", "Approved", 0)); r.ErrorType != test.want {
				t.Errorf("%s, fault %d: got %q %s, want %s", operation, test.fault, r.ErrorType, r.ErrorMessage, test.want)
			}
			track(t, w, event(t, "e1", "Approved", 0))
			wantRow(t, w, "Approved")
			if _, ended := w.Tasks.Outcome("token"); !ended || len(w.Tokens(t, sessionID)) != 0 {
				t.Errorf("%s, fault %d: the task ended: %v, tokens left: %q", operation, test.fault, ended, w.Tokens(t, sessionID))
			}
		}
	}
}

// Ensure that the AWS SDK's own retry recovers from one error.
func TestFaults_attempts(t *testing.T) {
	t.Parallel()
	var w *stagetest.World
	met := func(r lambdatest.Result) bool { return r.ErrorType == "BackendUnavailable" }
	r := stagetest.Unhurried(met, func() lambdatest.Result {
		w = stagetest.New(t, lambdatest.Options{})
		awaited(t, w, "token")
		w.Table.Fail(awsfake.Throttled, 1)
		w.Tasks.Fail(awsfake.Throttled, 1)
		return w.Call(t, event(t, "e1", "Approved", 0))
	})
	if r.Failed() {
		t.Errorf("got %s, want {}\n%s", r.Payload, w.Logs())
	}
	if _, ended := w.Tasks.Outcome("token"); !ended {
		t.Error("the task waits still")
	}
}

// Ensure that no vendor data and no task token reaches a log or an error, whatever fails.
func TestLeaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.New(t, lambdatest.Options{Env: env})
	l := &stagetest.Leaks{World: w, Logged: []string{"planted"}}
	r := stagetest.Record(sessionID, "planted-user", "In Progress", time.Minute)
	r.Awaited = true
	w.Add(t, r)
	planted := func(id, status string) []byte {
		return stagetest.Edit(t, event(t, id, status, 0), func(e map[string]any) {
			stagetest.Object(e, "detail")["vendor_data"] = "planted-user"
			stagetest.Object(e, "detail")["planted"] = "planted"
			e["planted"] = "planted"
		})
	}
	l.Call(t, "recorded", planted("e1", "In Review"))
	for i, f := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError, awsfake.Reset,
		awsfake.TaskTimedOut, awsfake.InvalidToken, awsfake.KeyDenied} {
		w.Wait(t, sessionID, "planted-token-"+strings.Repeat("x", i))
		w.Tasks.Fail(f, 1)
		l.Call(t, "tasks fail", planted("e2", []string{"Approved", "Expired"}[i%2]))
		if i < 5 {
			w.Table.Fail(f, 1)
			l.Call(t, "table fails", planted("e3", "Approved"))
		}
	}
	for _, payload := range []string{`"planted"`, `{"planted":"planted"}`, `{"source":"didit.sessions","detail":{"planted":"planted"}}`,
		`{"source":"didit.sessions","detail":{"session_id":"planted","occurred_at":"planted","checks":"planted"}}`,
		`{"source":"didit.sessions","detail":{"session_id":"planted","occurred_at":"planted"}}`} {
		l.Call(t, "refused", []byte(payload))
	}
	l.Done(t)
	wantRow(t, w, "Approved")
}
