package main

import (
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/functiontest"
	"didit-sessions/internal/lambdatest"
)

// Ensure that trouble with Didit ends a run early, that it is told where an operator must act, and that the next run
// makes up for it.
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
			w := functiontest.New(t, functiontest.Options{Env: functiontest.OneAttempt})
			ids := []string{}
			for range 5 {
				ids = append(ids, left(t, w, "In Progress", "Approved", time.Hour))
			}
			w.Didit.Inject(test.fault)
			if test.errorType == "" {
				run(t, w, test.asked, 0, test.failed)
			} else if r := w.Call(t, functiontest.Event(t, "direct-schedule")); r.ErrorType != test.errorType {
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
			// Those that failed are put off; the others are due still.
			run(t, w, 5-test.failed, 5-test.failed, 0)
		})
	}
}

// Ensure that one session in trouble does not keep the others waiting.
func TestDidit_once(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t, functiontest.Options{})
	first := left(t, w, "In Progress", "Approved", 2*time.Hour)
	second := left(t, w, "In Progress", "Approved", time.Hour)
	w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Status: 500, Times: 2}) // the first question, and its repetition
	run(t, w, 2, 1, 1)
	wantRow(t, w, first, "In Progress", true)
	wantRow(t, w, second, "Approved", false)
}

// Ensure that nothing is recorded that could not be published, and nothing lost that could not be recorded.
func TestAWS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		arrange   func(*functiontest.World)
		errorType string
		row       string // what stands after the run
		published bool
	}{
		{"secret throttled", func(w *functiontest.World) { w.Secrets.Fail(lambdatest.Throttled, lambdatest.UntilCleared) }, "", "In Progress", false},
		{"secret missing", func(w *functiontest.World) { w.Secrets.Fail(lambdatest.NotFound, lambdatest.UntilCleared) }, "SecretUnavailable", "In Progress", false},
		{"bus in trouble", func(w *functiontest.World) { w.Bus.Fail(lambdatest.EntryFailed, lambdatest.UntilCleared) }, "", "In Progress", false},
		{"bus denied", func(w *functiontest.World) { w.Bus.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared) }, "", "In Progress", false},
		{"tasks in trouble", func(w *functiontest.World) { w.Tasks.Fail(lambdatest.InternalError, lambdatest.UntilCleared) }, "", "Approved", true},
		{"tasks denied", func(w *functiontest.World) { w.Tasks.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared) }, "", "Approved", true},
		{"table throttled", func(w *functiontest.World) { w.Table.Fail(lambdatest.Throttled, lambdatest.UntilCleared) }, "BackendUnavailable", "In Progress", false},
		{"table denied", func(w *functiontest.World) { w.Table.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared) }, "InternalError", "In Progress", false},
		{"table missing", func(w *functiontest.World) { w.Table.Fail(lambdatest.NotFound, lambdatest.UntilCleared) }, "InternalError", "In Progress", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := functiontest.New(t, functiontest.Options{Env: functiontest.OneAttempt})
			id := left(t, w, "In Progress", "Approved", time.Hour, "token")
			test.arrange(w)
			if r := w.Call(t, functiontest.Event(t, "direct-schedule")); r.ErrorType != test.errorType {
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
			// Due again, whenever that was put off to.
			r.DueFrom = time.Now().Add(-time.Hour)
			if written, err := w.Store.Replace(t.Context(), r); !written || err != nil {
				t.Fatal(written, err)
			}
			if r := w.Call(t, functiontest.Event(t, "direct-schedule")); r.Failed() {
				t.Errorf("after the repair: got %s", r.Payload)
			}
			wantRow(t, w, id, "Approved", false)
			if _, ended := w.Tasks.Outcome("token"); !ended || len(w.Bus.Events()) != 1 {
				t.Errorf("after the repair: the task ended: %v, %d events were published", ended, len(w.Bus.Events()))
			}
		})
	}
}
