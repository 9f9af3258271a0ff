package main

import (
	"sync/atomic"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// refresh makes a call that has to ask Didit.
func refresh(t *testing.T, w *stagetest.World) {
	t.Helper()
	id := w.Session(t, owner)
	w.SetStatus(t, id, "Approved")
	w.Add(t, stagetest.Record(id, owner, "In Progress", 2*time.Minute))
	wantStatus(t, w.HTTP(t, get(t, id, owner)), "Approved")
}

// Ensure that the init phase reads the secret, takes the shared token, buys none, and opens the
// connection to the table.
func TestPrepared(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		requests := 0
		if shared {
			requests = 1 // of another process
		}
		w := stagetest.Prepared(t, func() (*stagetest.World, []*atomic.Int64) {
			w := stagetest.NewIdle(t)
			for shared {
				w.Start(t, lambdatest.Options{})
				refresh(t, w)
				if !w.Recovered() {
					break // the token was stored in time
				}
				w = stagetest.NewIdle(t)
			}
			w.Secrets.ForgetCalls()
			table, connections := stagetest.NewFront(t, w.Table.URL())
			w.Start(t, lambdatest.Options{Env: map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": table}})
			return w, []*atomic.Int64{connections}
		}, func(w *stagetest.World) {
			if w.Secrets.Calls("") != 1 || w.Didit.Count(didittest.OpToken) != requests {
				t.Errorf("shared %v, init: got %d reads of the secret, %d token requests, want 1, %d",
					shared, w.Secrets.Calls(""), w.Didit.Count(didittest.OpToken), requests)
			}
			refresh(t, w)
		})
		if w.Secrets.Calls("") != 1 || w.Didit.Count(didittest.OpToken) != 1 {
			t.Errorf("shared %v, first call: got %d reads of the secret, %d token requests, want 1 and 1", shared, w.Secrets.Calls(""), w.Didit.Count(didittest.OpToken))
		}
	}
}

// Ensure that the init phase ends although nothing works in it, and that the first call makes up
// for it.
func TestPrepared_trouble(t *testing.T) {
	t.Parallel()
	for _, fault := range []awsfake.Fault{awsfake.AccessDenied, awsfake.InternalError, awsfake.Silence} {
		w := stagetest.NewIdle(t)
		w.Secrets.Fail(fault, awsfake.UntilCleared)
		w.Table.Fail(fault, awsfake.UntilCleared)
		w.Start(t, lambdatest.Options{})
		if _, err := w.WaitReady(t.Context()); err != nil {
			t.Fatalf("fault %d: %v", fault, err)
		}
		w.Secrets.ClearFaults()
		w.Table.ClearFaults()
		refresh(t, w)
	}
}
