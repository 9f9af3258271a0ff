package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// next starts another process of the function on the same stage, and invokes it once.
func next(t *testing.T, w *stagetest.World) *stagetest.World {
	t.Helper()
	process := &stagetest.World{Stage: w.Stage}
	process.Start(t, lambdatest.Options{})
	if _, failure := answered(t, process.Call(t, []byte(named))); failure != "" {
		t.Errorf("got %s\n%s", failure, process.Logs())
	}
	return process
}

// bought repeats an attempt while it requested more tokens than it should, as it does on a busy
// machine, where a read of the shared token may take longer than 300 ms; it returns how many.
func bought(want int, attempt func() *stagetest.World) int {
	return stagetest.Unhurried(func(got int) bool { return got > want }, func() int {
		return attempt().Didit.Count(didittest.OpToken)
	})
}

// Ensure that the second process takes the token of the first, and that after a rotation one of
// them requests one for both.
func TestShared(t *testing.T) {
	t.Parallel()
	if got := bought(1, func() *stagetest.World {
		w := stagetest.NewIdle(t)
		next(t, w)
		next(t, w)
		return w
	}); got != 1 {
		t.Errorf("got %d token requests by two processes, want 1", got)
	}
	if got := bought(2, func() *stagetest.World {
		w := stagetest.NewIdle(t)
		first := next(t, w)
		w.Didit.SetCredentials("new-id", "new-secret", "")
		w.Secrets.Set(stage.SecretID, `{"client_id":"new-id","client_secret":"new-secret"}`)
		next(t, w)
		answered(t, first.Call(t, []byte(named)))
		next(t, w)
		return w
	}); got != 2 {
		t.Errorf("got %d token requests before and after a rotation, want 2", got)
	}
}

// Ensure that a table which does not give the token, and does not take it, costs a token request
// and no answer, and says so in the log.
func TestShared_tableFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []awsfake.Fault{awsfake.AccessDenied, awsfake.Silence, awsfake.InternalError, awsfake.Reset} {
		w := stagetest.NewIdle(t)
		next(t, w)
		w.Table.FailOnly("GetItem", fault, awsfake.UntilCleared)
		second := next(t, w)
		if got := w.Didit.Count(didittest.OpToken); got != 2 || !strings.Contains(string(second.Logs()), "recovered from an error") {
			t.Errorf("fault %d: got %d token requests, want 2 and a line in the log:\n%s", fault, got, second.Logs())
		}
	}
}

// Ensure that nothing of the token appears in the table, or of either in a log.
func TestShared_leaks(t *testing.T) {
	t.Parallel()
	w := stagetest.NewIdle(t)
	w.Start(t, lambdatest.Options{Env: map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}})
	told := []string{"simulated-", "TOKEN#"}
	l := &stagetest.Leaks{World: w, Logged: told, Answered: told}
	l.Call(t, "bought", []byte(named))
	for _, fault := range []awsfake.Fault{awsfake.Throttled, awsfake.AccessDenied, awsfake.NotFound, awsfake.InternalError, awsfake.Reset, 0} {
		w.Didit.RevokeTokens()
		if fault != 0 {
			w.Table.FailOnly("GetItem", fault, awsfake.UntilCleared)
		}
		l.Call(t, "refused", []byte(named))
		w.Table.ClearFaults()
	}
	l.Done(t)
	sum := sha256.Sum256([]byte(stage.SecretID + "\n" + w.Didit.URL()))
	sealed, err := w.Store.SharedToken(t.Context(), "TOKEN#"+hex.EncodeToString(sum[:]))
	if raw, _ := base64.StdEncoding.DecodeString(sealed); err != nil || len(raw) < 100 || strings.Contains(string(raw), "simulated") {
		t.Errorf("got %q, error %v, want a sealed token", raw, err)
	}
}

// Ensure that 50 processes which start at once all get their session. How many of them buy a token
// is left to the machine; package didit tests it without one.
func TestShared_crowd(t *testing.T) {
	t.Parallel()
	if os.Getenv("SLOW_TESTS") == "" {
		t.Skip("SLOW_TESTS is not set: it starts 50 processes")
	}
	w := stagetest.NewIdle(t)
	var starting sync.WaitGroup
	processes := make([]*stagetest.World, 50)
	for i := range processes {
		processes[i] = &stagetest.World{Stage: w.Stage}
		processes[i].Start(t, lambdatest.Options{})
		starting.Go(func() {
			r, err := processes[i].Invoke(t.Context(), fmt.Appendf(nil, `{"vendor_data":"user-%d"}`, i))
			if err != nil || r.Failed() {
				t.Errorf("process %d: %v %s", i, err, r.ErrorMessage)
			}
		})
	}
	starting.Wait()
	if got := len(w.Didit.Sessions()); got != len(processes) {
		t.Errorf("got %d sessions, want %d", got, len(processes))
	}
	t.Logf("%d token requests", w.Didit.Count(didittest.OpToken))
}
