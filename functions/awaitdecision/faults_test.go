package main

import (
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
)

// Ensure that after the token is stored, no error fails the task: it waits, the session is due for
// reconcile, and the next event or run completes it.
func TestTrouble(t *testing.T) {
	t.Parallel()
	inject := func(f didittest.Fault) func(*stagetest.World) {
		return func(w *stagetest.World) { w.Didit.Inject(f) }
	}
	for name, arrange := range map[string]func(*stagetest.World){
		"Didit 500":           inject(didittest.ServerError.At(didittest.OpDecision)),
		"Didit 429":           inject(didittest.ReadRateLimited),
		"Didit 403":           inject(didittest.Forbidden.At(didittest.OpDecision)),
		"Didit reset":         inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeResetBefore}),
		"Didit cut off":       inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeCutJSON}),
		"token refused":       inject(didittest.InvalidClient),
		"token endpoint down": inject(didittest.ServerError.At(didittest.OpToken)),
		"secret throttled":    func(w *stagetest.World) { w.Secrets.Fail(awsfake.Throttled, awsfake.UntilCleared) },
		"secret missing":      func(w *stagetest.World) { w.Secrets.Fail(awsfake.NotFound, awsfake.UntilCleared) },
		"bus fails":           func(w *stagetest.World) { w.Bus.Fail(awsfake.EntryFailed, awsfake.UntilCleared) },
		"bus denied":          func(w *stagetest.World) { w.Bus.Fail(awsfake.AccessDenied, awsfake.UntilCleared) },
		"tasks fail":          func(w *stagetest.World) { w.Tasks.Fail(awsfake.InternalError, awsfake.UntilCleared) },
		"tasks denied":        func(w *stagetest.World) { w.Tasks.Fail(awsfake.AccessDenied, awsfake.UntilCleared) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
			id := at(t, w, "In Progress", "Approved")
			arrange(w)
			await(t, w, id, "one")
			wantEnd(t, w, id, "one", "waits")
			if r, _ := w.Row(t, id); r.DueFrom.IsZero() || !r.Awaited {
				t.Errorf("due from %v, awaited %v: reconcile will not come back", r.DueFrom, r.Awaited)
			}
			if !strings.Contains(string(w.Logs()), `"recovered from an error"`) {
				t.Errorf("got logs %s, want the trouble in them", w.Logs())
			}
			w.Didit.ClearFaults()
			w.Secrets.ClearFaults()
			w.Bus.ClearFaults()
			w.Tasks.ClearFaults()
			if name == "token refused" {
				return // for 30 s, the secret is not read again
			}
			w.AgeRead(t, id)
			await(t, w, id, "two")
			wantEnd(t, w, id, "one", "Approved")
			wantEnd(t, w, id, "two", "Approved")
		})
	}
}

// Ensure that a Didit that does not answer is no error either: the function waits for it, and keeps
// enough time for the table on a busy machine.
func TestTrouble_silence(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Timeout: 10 * time.Second, Grace: time.Minute})
	id := at(t, w, "In Progress", "Approved")
	w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeSilence})
	await(t, w, id, "token")
	wantEnd(t, w, id, "token", "waits")
}

// Ensure that a token which could not be stored is reported by a named error, so that the workflow
// retries.
func TestTableFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		operation string
		fault     awsfake.Fault
		want      string
	}{
		{"", awsfake.Throttled, "BackendUnavailable"},
		{"", awsfake.InternalError, "BackendUnavailable"},
		{"", awsfake.Reset, "BackendUnavailable"},
		{"", awsfake.AccessDenied, "InternalError"},
		{"", awsfake.NotFound, "InternalError"},
		{"UpdateItem", awsfake.Throttled, "BackendUnavailable"},
		{"PutItem", awsfake.Throttled, "BackendUnavailable"},
		{"PutItem", awsfake.AccessDenied, "InternalError"},
	} {
		w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
		id := at(t, w, "In Progress", "Approved")
		w.Table.FailOnly(test.operation, test.fault, awsfake.UntilCleared)
		w.Tasks.Open("token")
		if r := w.Call(t, payload(t, id, "token")); r.ErrorType != test.want {
			t.Errorf("%s, fault %d: got %q %s, want %s", test.operation, test.fault, r.ErrorType, r.ErrorMessage, test.want)
		}
		w.Table.ClearFaults()
		if w.Tasks.Calls("") != 0 || w.Didit.Count(didittest.OpDecision) != 0 {
			t.Errorf("%s, fault %d: %d requests to end tasks, %d questions to Didit, want none", test.operation, test.fault, w.Tasks.Calls(""), w.Didit.Count(didittest.OpDecision))
		}
		await(t, w, id, "token")
		wantEnd(t, w, id, "token", "Approved")
	}
}

// Ensure that an error of the table after the token is stored does not fail the task.
func TestTableFaults_late(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"Query", "DeleteItem"} {
		w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
		id := at(t, w, "In Progress", "Approved")
		w.Table.FailOnly(operation, awsfake.Throttled, awsfake.UntilCleared)
		await(t, w, id, "token")
		w.Table.ClearFaults()
		if r, _ := w.Row(t, id); r.Status != "Approved" || r.DueFrom.IsZero() {
			t.Errorf("%s: at %s, due from %v: reconcile will not come back", operation, r.Status, r.DueFrom)
		}
		if !slices.Equal(w.Tokens(t, id), []string{"token"}) {
			t.Errorf("%s: tokens %q", operation, w.Tokens(t, id))
		}
	}
}

// Ensure that no token, secret or personal data reaches a log or an error, whatever fails.
func TestLeaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.New(t, lambdatest.Options{Env: env})
	w.Didit.SetCredentials("planted-id", "planted-secret", didittest.DefaultAPIKey)
	w.Secrets.Set(stage.SecretID, `{"client_id":"planted-id","client_secret":"planted-secret"}`)
	l := &stagetest.Leaks{World: w, Logged: []string{"planted", "Carmen", "Española", "CAA000000", "1980-01-01", "/session/", "Bearer ", "Basic "}}
	planted := func(status string) []byte {
		id := w.Session(t, "planted-user")
		w.SetStatus(t, id, status)
		w.Tasks.Open("planted-token-" + id)
		return payload(t, id, "planted-token-"+id)
	}
	for _, status := range []string{"In Progress", "Approved", "Expired"} {
		l.Call(t, status, planted(status))
	}
	for _, body := range []string{`"planted"`, `{"other":"planted"}`, `{"session_id":"planted","task_token":"planted"}`, `{"session_id":"` + strings.Repeat("planted", 9) + `"`,
		`{"session_id":{"planted":1},"task_token":["planted"]}`, string(payload(t, "99999999-2222-3333-4444-777777777777", "planted-token"))} {
		l.Call(t, "refused", []byte(body))
	}
	for _, f := range []didittest.Fault{didittest.ServerError, didittest.ReadRateLimited, didittest.InvalidClientDescribed,
		{On: didittest.OpToken, Status: 200, Body: `{"access_token":"planted","expires_in":"planted"}`},
		{On: didittest.OpDecision, Status: 200, Body: `{"status":"planted\n","first_name":"planted"}`},
		{On: didittest.OpDecision, Status: 403, Body: `{"detail":"planted"}`},
	} {
		p := planted("Approved")
		w.Didit.RevokeTokens()
		w.Didit.Inject(f)
		l.Call(t, "Didit fails", p)
		w.Didit.ClearFaults()
	}
	for _, f := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError} {
		for _, fail := range []func(){func() { w.Table.Fail(f, 1) }, func() { w.Table.FailOnly("Query", f, 1) }, func() { w.Bus.Fail(f, 1) }, func() { w.Tasks.Fail(f, 1) }} {
			p := planted("Approved")
			fail()
			l.Call(t, "AWS fails", p)
			w.Table.ClearFaults()
			w.Bus.ClearFaults()
			w.Tasks.ClearFaults()
		}
	}
	l.Done(t)
}
