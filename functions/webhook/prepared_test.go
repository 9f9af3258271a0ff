package main

import (
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that the init phase reads the secret and opens the connections, so that the first delivery
// waits for nothing else than the second.
func TestPrepared(t *testing.T) {
	t.Parallel()
	w := stagetest.Prepared(t, func() (*stagetest.World, []*atomic.Int64) {
		w := stagetest.NewIdle(t)
		w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", time.Minute))
		env := map[string]string{}
		var opened []*atomic.Int64
		for name, origin := range map[string]string{
			"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.Secrets.URL(), "AWS_ENDPOINT_URL_DYNAMODB": w.Table.URL(), "AWS_ENDPOINT_URL_EVENTBRIDGE": w.Bus.URL(),
		} {
			front, connections := stagetest.NewFront(t, origin)
			env[name], opened = front, append(opened, connections)
		}
		w.Start(t, lambdatest.Options{Env: env})
		return w, opened
	}, func(w *stagetest.World) {
		if w.Secrets.Calls("") != 2 || w.Table.Calls("GetItem") != 1 || w.Bus.Calls("") != 1 || len(w.Bus.Events()) != 0 {
			t.Errorf("init: got %d requests for the secret, %d reads of the table, %d requests to the bus with %d events, want 2, 1 and 1 with none",
				w.Secrets.Calls(""), w.Table.Calls("GetItem"), w.Bus.Calls(""), len(w.Bus.Events()))
		}
		wantAnswer(t, w.HTTP(t, approved(t)), 200, "")
	})
	if w.Secrets.Calls("") != 2 {
		t.Errorf("got %d requests for the secret after the first delivery, want 2", w.Secrets.Calls(""))
	}
}

// Ensure that the init phase ends although nothing works in it, and that the first delivery makes
// up for it.
func TestPrepared_trouble(t *testing.T) {
	t.Parallel()
	for _, fault := range []awsfake.Fault{awsfake.AccessDenied, awsfake.Throttled, awsfake.InternalError, awsfake.Reset, awsfake.Silence} {
		w := stagetest.NewIdle(t)
		w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", time.Minute))
		services := []interface {
			Fail(fault awsfake.Fault, n int)
			ClearFaults()
		}{w.Secrets, w.Table, w.Bus}
		for _, s := range services {
			s.Fail(fault, awsfake.UntilCleared)
		}
		w.Start(t, lambdatest.Options{})
		if _, err := w.WaitReady(t.Context()); err != nil {
			t.Fatalf("fault %d: %v", fault, err)
		}
		for _, s := range services {
			s.ClearFaults()
		}
		body := fresh(t, "http-approved")
		wantAnswer(t, w.HTTP(t, deliver(t, signed(body, stage.WebhookSecret), body)), 200, "")
	}
}
