package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"didit-sessions/internal/verification"
)

// maxOutput is the limit for a task's output in bytes (AWS Step Functions: SendTaskSuccess).
const maxOutput = 262144

// Outcome is how a task ended. It prints without its output and cause.
type Outcome struct {
	Failed bool
	Output string // JSON, if it succeeded
	Name   string // of the error, if it failed
	Cause  string // of the error, if it failed
}

// Format prints how the task ended, for every verb.
func (o Outcome) Format(f fmt.State, _ rune) {
	if o.Failed {
		_, _ = io.WriteString(f, "failed with "+o.Name)
		return
	}
	_, _ = io.WriteString(f, "succeeded")
}

// Tasks are waiting tasks in memory. A task waits from [Tasks.Open] until the first call that
// completes it.
//
// The zero value has no tasks and is ready to use. It is safe for concurrent use and must not be
// copied.
type Tasks struct {
	mu    sync.Mutex
	tasks map[string]*task
}

type task struct {
	ended   chan struct{} // closed when the task ends
	outcome Outcome       // set before that
}

var _ verification.Tasks = (*Tasks)(nil)

// Open adds a task that waits on the token. It does nothing if the token is known.
func (t *Tasks) Open(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tasks == nil {
		t.tasks = make(map[string]*task)
	}
	if t.tasks[token] == nil {
		t.tasks[token] = &task{ended: make(chan struct{})}
	}
}

// Succeed completes the task with its output, JSON of at most 256 KiB. It returns nil if the task
// is closed or was never opened, and a [*verification.Error]: backend_unavailable if the context
// has ended, internal if the output is not accepted.
func (t *Tasks) Succeed(ctx context.Context, token string, output []byte) error {
	if len(output) > maxOutput || !json.Valid(output) {
		return verification.NewError(verification.CodeInternal, "the task's output is not accepted")
	}
	return t.complete(ctx, token, Outcome{Output: string(output)})
}

// Fail completes the task with the name of an error and its cause, each of any length. It returns
// what [Tasks.Succeed] returns.
func (t *Tasks) Fail(ctx context.Context, token, name, cause string) error {
	return t.complete(ctx, token, Outcome{Failed: true, Name: name, Cause: cause})
}

func (t *Tasks) complete(ctx context.Context, token string, outcome Outcome) error {
	if ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the task is out of reach")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	task := t.tasks[token]
	if task == nil || task.hasEnded() {
		return nil
	}
	task.outcome = outcome
	close(task.ended)
	return nil
}

// Outcome returns how the task of the token ended, and whether it did.
func (t *Tasks) Outcome(token string) (Outcome, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if task := t.tasks[token]; task != nil && task.hasEnded() {
		return task.outcome, true
	}
	return Outcome{}, false
}

// Wait waits until the task of the token has ended, and opens it first if it is not known. It
// returns the context's error if that ends first.
func (t *Tasks) Wait(ctx context.Context, token string) (Outcome, error) {
	t.Open(token)
	t.mu.Lock()
	task := t.tasks[token]
	t.mu.Unlock()
	select {
	case <-task.ended:
		return task.outcome, nil
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

func (t *task) hasEnded() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}
