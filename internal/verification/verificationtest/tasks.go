package verificationtest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/verification"
)

// TaskOutcome is how a task ended.
type TaskOutcome struct {
	Failed bool
	Output string // of a task that succeeded
	Name   string // of the error, of a task that failed
	Cause  string
}

// Waiting is the workflows that wait on the tasks.
type Waiting struct {
	Open    func(token string)                     // begins a task
	Outcome func(token string) (TaskOutcome, bool) // how a task ended, and whether it has
}

// TestTasks tests what [verification.Tasks] promises. newTasks returns one without tasks for one
// test; it may be called concurrently.
func TestTasks(t *testing.T, newTasks func(t *testing.T) (verification.Tasks, Waiting)) {
	for name, test := range map[string]func(*testing.T, verification.Tasks, Waiting){
		"Succeed":            taskSucceeds,
		"Succeed/no JSON":    taskOutputRefused,
		"Fail":               taskFails,
		"Fail/long cause":    taskLongCause,
		"several":            taskSeveral,
		"closed":             taskClosed,
		"never opened":       taskNeverOpened,
		"concurrent callers": taskConcurrent,
		"context":            taskContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tasks, waiting := newTasks(t)
			test(t, tasks, waiting)
		})
	}
}

// taskToken returns the nth of many tokens.
func taskToken(n int) string { return "AQCEAAAAKgAAAAMAAAAA+/=" + strconv.Itoa(n) }

func succeed(t *testing.T, tasks verification.Tasks, token, output string) {
	t.Helper()
	if err := tasks.Succeed(t.Context(), token, []byte(output)); err != nil {
		t.Fatalf("Succeed with %.100s: got error %v, want none", output, err)
	}
}

func fail(t *testing.T, tasks verification.Tasks, token, name, cause string) {
	t.Helper()
	if err := tasks.Fail(t.Context(), token, name, cause); err != nil {
		t.Fatalf("Fail with %s: got error %v, want none", name, err)
	}
}

func (w Waiting) want(t *testing.T, token string, want TaskOutcome) {
	t.Helper()
	if got, ended := w.Outcome(token); !ended || got != want {
		t.Errorf("task: got %+v, ended %v, want %+v", got, ended, want)
	}
}

func (w Waiting) wantOpen(t *testing.T, token string) {
	t.Helper()
	if got, ended := w.Outcome(token); ended {
		t.Errorf("task: got %+v, want it to wait", got)
	}
}

func taskSucceeds(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	for n, output := range []string{
		`{"session_id":"` + sessionID(1) + `","vendor_data":null,"workflow_id":null,"status":"Approved"}`,
		`{ "vendor_data" : "é世 \"<&>\" \\ \u2028" }`,
		"null",
		`"` + strings.Repeat("x", 262142) + `"`,
	} {
		token := taskToken(n)
		waiting.Open(token)
		waiting.wantOpen(t, token)
		succeed(t, tasks, token, output)
		waiting.want(t, token, TaskOutcome{Output: output})
	}
}

// Ensure that an invalid output leaves the task waiting.
func taskOutputRefused(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	waiting.Open(taskToken(1))
	for _, output := range []string{"", "Approved", `{"status":`, `"` + strings.Repeat("x", 262143) + `"`} {
		err := tasks.Succeed(t.Context(), taskToken(1), []byte(output))
		if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeInternal {
			t.Errorf("Succeed with %.20q: got %v (%T), want a *verification.Error, internal", output, err, err)
		}
	}
	waiting.wantOpen(t, taskToken(1))
}

func taskFails(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	for n, cause := range []string{"The session expired before the end user finished it.", "", "\u4e16 \"<&>\""} {
		token := taskToken(n)
		waiting.Open(token)
		fail(t, tasks, token, verification.TaskSessionExpired, cause)
		waiting.want(t, token, TaskOutcome{Failed: true, Name: verification.TaskSessionExpired, Cause: cause})
	}
}

// Ensure that a cause of any length ends the task.
func taskLongCause(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	cause := strings.Repeat("\u4e16", 40000)
	waiting.Open(taskToken(1))
	fail(t, tasks, taskToken(1), verification.TaskSessionNotFound, cause)
	got, ended := waiting.Outcome(taskToken(1))
	if !ended || got.Name != verification.TaskSessionNotFound || !strings.HasPrefix(cause, got.Cause) || len(got.Cause) < 32000 {
		t.Errorf("task: got %s with %d bytes of the cause, ended %v, want as much of it as fits", got.Name, len(got.Cause), ended)
	}
}

func taskSeveral(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	long := strings.Repeat("t", 2048)
	for _, token := range []string{taskToken(1), taskToken(2), long} {
		waiting.Open(token)
	}
	succeed(t, tasks, long, `{"n":1}`)
	waiting.wantOpen(t, taskToken(1))
	fail(t, tasks, taskToken(2), "SessionAbandoned", "")
	waiting.wantOpen(t, taskToken(1))
	waiting.want(t, long, TaskOutcome{Output: `{"n":1}`})
	waiting.want(t, taskToken(2), TaskOutcome{Failed: true, Name: "SessionAbandoned"})
}

// Ensure that completing a task again is not an error, and changes nothing.
func taskClosed(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	for n, first := range []TaskOutcome{{Output: `{"n":1}`}, {Failed: true, Name: "SessionExpired", Cause: "First."}} {
		token := taskToken(n)
		waiting.Open(token)
		if first.Failed {
			fail(t, tasks, token, first.Name, first.Cause)
		} else {
			succeed(t, tasks, token, first.Output)
		}
		succeed(t, tasks, token, `{"n":2}`)
		fail(t, tasks, token, "SessionAbandoned", "Second.")
		waiting.want(t, token, first)
	}
}

func taskNeverOpened(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	succeed(t, tasks, taskToken(1), `{}`)
	fail(t, tasks, taskToken(2), "SessionExpired", "")
	waiting.wantOpen(t, taskToken(1))
}

// Ensure that of many concurrent calls one completes the task, and that none of them fails.
func taskConcurrent(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	waiting.Open(taskToken(1))
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if err := tasks.Succeed(t.Context(), taskToken(1), []byte(strconv.Itoa(n))); err != nil {
				t.Errorf("Succeed at the same time as others: got error %v, want none", err)
			}
		})
	}
	all.Wait()
	got, ended := waiting.Outcome(taskToken(1))
	if _, err := strconv.Atoi(got.Output); err != nil || !ended {
		t.Errorf("task: got %+v, ended %v, want one of the outputs", got, ended)
	}
}

func taskContext(t *testing.T, tasks verification.Tasks, waiting Waiting) {
	waiting.Open(taskToken(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnavailable(t, "Succeed", tasks.Succeed(ctx, taskToken(1), []byte("{}")))
	wantUnavailable(t, "Fail", tasks.Fail(ctx, taskToken(1), "SessionExpired", ""))
	waiting.wantOpen(t, taskToken(1))
}
