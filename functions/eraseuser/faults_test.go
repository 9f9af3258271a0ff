package main

import (
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that whatever fails has a name on which workflows retry, that the event is published
// anyway, that nothing leaks, and that the next call does the rest.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrange   func(*stagetest.World)
		errorType string
		events    int
		after     string // the next call's answer
	}{
		"Didit is down": {func(w *stagetest.World) { w.Didit.Inject(didittest.ServerError) }, "DiditUnavailable", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"a deletion is reset": {func(w *stagetest.World) {
			w.Didit.Inject(didittest.Fault{On: didittest.OpDelete, Mode: didittest.ModeResetAfter, Times: 1})
		}, "", 1, `{"sessions":0,"deleted":0,"user_deleted":true}`},
		"Didit throttles": {func(w *stagetest.World) { w.Didit.Inject(didittest.WriteRateLimited) }, "Throttled", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"the filter is broken": {func(w *stagetest.World) {
			w.Didit.Inject(didittest.Fault{On: didittest.OpList, Mode: didittest.ModeUnfiltered})
		}, "InternalError", 0, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"no secret":           {func(w *stagetest.World) { w.Secrets.Fail(awsfake.NotFound, awsfake.UntilCleared) }, "SecretUnavailable", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"secrets are down":    {func(w *stagetest.World) { w.Secrets.Fail(awsfake.Throttled, awsfake.UntilCleared) }, "BackendUnavailable", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"the table is denied": {func(w *stagetest.World) { w.Table.FailOnly("UpdateItem", awsfake.AccessDenied, awsfake.UntilCleared) }, "InternalError", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"the table is down":   {func(w *stagetest.World) { w.Table.Fail(awsfake.InternalError, awsfake.UntilCleared) }, "BackendUnavailable", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"tasks are denied":    {func(w *stagetest.World) { w.Tasks.Fail(awsfake.AccessDenied, awsfake.UntilCleared) }, "InternalError", 1, `{"sessions":2,"deleted":2,"user_deleted":true}`},
		"the bus refuses":     {func(w *stagetest.World) { w.Bus.Fail(awsfake.EntryFailed, awsfake.UntilCleared) }, "BackendUnavailable", 0, `{"sessions":0,"deleted":0,"user_deleted":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			leaks := &stagetest.Leaks{World: w, Logged: []string{"user-123", "user-124", didittest.DefaultClientSecret}}
			ids := []string{session(t, w, "user-123", "Approved"), session(t, w, "user-123", "In Progress")}
			other := session(t, w, "user-124", "In Progress")
			test.arrange(w)
			if r := leaks.Call(t, name, payload(t, "user-123")); r.ErrorType != test.errorType {
				t.Errorf("got %q %s, want %q\n%s", r.ErrorType, r.ErrorMessage, test.errorType, w.Logs())
			}
			if got := len(w.Bus.Events()); got != test.events {
				t.Errorf("got %d events, want %d", got, test.events)
			}
			w.Didit.ClearFaults()
			for _, service := range []interface{ ClearFaults() }{w.Secrets, w.Table, w.Tasks, w.Bus} {
				service.ClearFaults()
			}
			if r := leaks.Call(t, name+", again", payload(t, "user-123")); string(r.Payload) != test.after {
				t.Errorf("again: got %s, want %s\n%s", r.Payload, test.after, w.Logs())
			}
			for _, id := range ids {
				wantErased(t, w, id)
			}
			if r, _ := w.Row(t, other); r.Erased || r.VendorData != "user-124" || len(w.Didit.Users()) != 1 {
				t.Error("another user was erased")
			}
			leaks.Done(t)
		})
	}
}

// Ensure that a key which Didit refuses is read again once, and that a rotated one is used then.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	id := session(t, w, "user-123", "Approved")
	if r := w.Call(t, payload(t, "unknown")); r.Failed() {
		t.Fatalf("got %s", r.Payload)
	}
	w.Didit.SetCredentials("", "rotated-secret", "rotated-key")
	w.Secrets.Set(stage.SecretID, `{"api_key":"rotated-key"}`)
	if r := w.Call(t, payload(t, "user-123")); string(r.Payload) != `{"sessions":1,"deleted":1,"user_deleted":true}` {
		t.Errorf("got %s\n%s", r.Payload, w.Logs())
	}
	wantErased(t, w, id)
	w.Secrets.Set(stage.SecretID, `{"api_key":"wrong"}`)
	w.Didit.SetCredentials("", "", "rotated-again")
	before := w.Didit.Count(didittest.OpAny)
	r := w.Call(t, payload(t, "user-123"))
	if got := w.Didit.Count(didittest.OpAny) - before; r.ErrorType != "CredentialsRejected" || got > 2 || strings.Contains(string(w.Logs()), "rotated-key") {
		t.Errorf("got %q after %d requests, want CredentialsRejected after at most two", r.ErrorType, got)
	}
}
