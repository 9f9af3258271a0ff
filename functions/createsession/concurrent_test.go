package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// callers is enough for overlapping calls, and so few that they meet no limit of the function on a
// busy machine. make bench uses 200.
const callers = 5

// Ensure that concurrent cold callers in one process share one read and one token, and that after a
// rotation they share one more read.
func TestConcurrentCold(t *testing.T) {
	t.Parallel()
	testConcurrent(t, lambdatest.Options{MaxConcurrency: callers})
}

// Ensure the same for a binary with the race detector, which must report nothing.
func TestConcurrentCold_race(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "env", "CGO_ENABLED").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(out)) != "1" {
		t.Skip("the race detector needs cgo, and a C compiler for it (gcc or clang)")
	}
	raced := filepath.Join(t.TempDir(), "bootstrap")
	// Without -trimpath it shares compiled packages with go test -race.
	if err := lambdatest.Build(t.Context(), "./functions/createsession", raced, "-race", "-trimpath=false"); err != nil {
		t.Fatal(err)
	}
	w := testConcurrent(t, lambdatest.Options{MaxConcurrency: callers, Binary: raced})
	w.Stop()
	if bytes.Contains(w.Logs(), []byte("DATA RACE")) {
		t.Errorf("the race detector says:\n%s", w.Logs())
	}
}

func testConcurrent(t *testing.T, options lambdatest.Options) *world {
	t.Helper()
	w := newWorld(t, options)
	w.callAll(t, "cold")
	w.wantCalls(t, 1, 1, callers)

	w.Didit.SetCredentials("new-id", "new-secret", "new-key")
	w.Secrets.Set(stage.SecretID, `{"client_id":"new-id","client_secret":"new-secret"}`)
	w.callAll(t, "rotated")
	if got := w.reads(); got != 2 {
		t.Errorf("after the rotation: got %d secret reads, want 2", got)
	}
	if got := len(w.Didit.Sessions()); got != callers {
		t.Errorf("got %d sessions, want %d", got, callers)
	}
	return w
}

// callAll makes a concurrent call for each end user, and returns when all have their session.
func (w *world) callAll(t *testing.T, when string) {
	t.Helper()
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			r, err := w.Invoke(t.Context(), fmt.Appendf(nil, `{"vendor_data":"user-%d"}`, i))
			if err != nil || r.Failed() {
				t.Errorf("%s, caller %d: %v %s", when, i, err, r.ErrorMessage)
			}
		})
	}
	calling.Wait()
}
