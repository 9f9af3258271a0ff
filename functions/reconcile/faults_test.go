package main

import (
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that a failure of Didit ends a run early, that it is reported if an operator must act, and
// that the next run makes up for it.
func TestDidit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		fault     didittest.Fault
		asked     int
		failed    int
		errorType string
	}{
		{"throttled", didittest.ReadRateLimited, 1, 0, ""},
		{"token throttled", didittest.Fault{On: didittest.OpToken, Status: 429}, 1, 0, ""},
		{"refused", didittest.Forbidden.At(didittest.OpDecision), 1, 0, "CredentialsRejected"},
		{"token refused", didittest.InvalidClient, 1, 0, "CredentialsRejected"},
		{"down", didittest.ServerError.At(didittest.OpDecision), 3, 3, ""},
		{"unreadable", didittest.HTMLPage.At(didittest.OpDecision), 3, 3, ""},
		{"reset", didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeResetBefore}, 3, 3, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
			ids := []string{}
			for range 5 {
				ids = append(ids, left(t, w, "In Progress", "Approved", time.Hour))
			}
			w.Didit.Inject(test.fault)
			if test.errorType == "" {
				run(t, w, test.asked, 0, test.failed)
			} else if r := w.Call(t, stagetest.Event(t, "direct-schedule")); r.ErrorType != test.errorType {
				t.Errorf("got %q %s, want %s", r.ErrorType, r.Payload, test.errorType)
			}
			for _, id := range ids {
				wantRow(t, w, id, "In Progress", true)
			}
			if len(w.Bus.Events()) != 0 {
				t.Errorf("%d events were published", len(w.Bus.Events()))
			}
			w.Didit.ClearFaults()
			if test.name == "token refused" {
				return // for 30 s, the secret is not read again
			}
			for _, id := range ids {
				r, _ := w.Row(t, id)
				if postponed := r.DueFrom.After(time.Now()); postponed != (r.Asked > 0) {
					t.Errorf("asked %d times: due from %v", r.Asked, r.DueFrom)
				}
				again(t, w, r)
			}
			run(t, w, 5, 5, 0)
		})
	}
}

// Ensure that a session that fails does not delay the others.
func TestDidit_once(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	first := left(t, w, "In Progress", "Approved", 2*time.Hour)
	second := left(t, w, "In Progress", "Approved", time.Hour)
	w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Status: 500, Times: 1}) // which is not repeated
	run(t, w, 2, 1, 1)
	wantRow(t, w, first, "In Progress", true)
	wantRow(t, w, second, "Approved", false)
}

// Ensure that a status that could not be published is not recorded, and that one that could not be
// recorded is not lost.
func TestAWS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		arrange   func(*stagetest.World)
		errorType string
		row       string // what stands after the run
		published bool
	}{
		{"secret throttled", func(w *stagetest.World) { w.Secrets.Fail(awsfake.Throttled, awsfake.UntilCleared) }, "", "In Progress", false},
		{"secret missing", func(w *stagetest.World) { w.Secrets.Fail(awsfake.NotFound, awsfake.UntilCleared) }, "SecretUnavailable", "In Progress", false},
		{"bus fails", func(w *stagetest.World) { w.Bus.Fail(awsfake.EntryFailed, awsfake.UntilCleared) }, "", "In Progress", false},
		{"bus denied", func(w *stagetest.World) { w.Bus.Fail(awsfake.AccessDenied, awsfake.UntilCleared) }, "", "In Progress", false},
		{"tasks fail", func(w *stagetest.World) { w.Tasks.Fail(awsfake.InternalError, awsfake.UntilCleared) }, "", "Approved", true},
		{"tasks denied", func(w *stagetest.World) { w.Tasks.Fail(awsfake.AccessDenied, awsfake.UntilCleared) }, "", "Approved", true},
		{"table throttled", func(w *stagetest.World) { w.Table.Fail(awsfake.Throttled, awsfake.UntilCleared) }, "BackendUnavailable", "In Progress", false},
		{"table denied", func(w *stagetest.World) { w.Table.Fail(awsfake.AccessDenied, awsfake.UntilCleared) }, "InternalError", "In Progress", false},
		{"table missing", func(w *stagetest.World) { w.Table.Fail(awsfake.NotFound, awsfake.UntilCleared) }, "InternalError", "In Progress", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
			id := left(t, w, "In Progress", "Approved", time.Hour, "token")
			test.arrange(w)
			if r := w.Call(t, stagetest.Event(t, "direct-schedule")); r.ErrorType != test.errorType {
				t.Errorf("got %q %s, want %q\n%s", r.ErrorType, r.Payload, test.errorType, w.Logs())
			}
			w.Secrets.ClearFaults()
			w.Bus.ClearFaults()
			w.Tasks.ClearFaults()
			w.Table.ClearFaults()
			r := wantRow(t, w, id, test.row, true)
			if got := len(w.Bus.Events()) > 0; got != test.published {
				t.Errorf("published: %v, want %v", got, test.published)
			}
			again(t, w, r)
			if r := w.Call(t, stagetest.Event(t, "direct-schedule")); r.Failed() {
				t.Errorf("after the repair: got %s", r.Payload)
			}
			wantRow(t, w, id, "Approved", false)
			if _, ended := w.Tasks.Outcome("token"); !ended || len(w.Bus.Events()) != 1 {
				t.Errorf("after the repair: the task ended: %v, %d events were published", ended, len(w.Bus.Events()))
			}
		})
	}
}
