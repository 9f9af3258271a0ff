package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"didit-sessions/internal/verification"
)

// mostOutput is how long the output of a task may be (AWS Step Functions: SendTaskSuccess).
const mostOutput = 262144

// Outcome is how a task ended. It prints without output and cause.
type Outcome struct {
	Failed bool
	Output string // JSON, of a task that succeeded
	Name   string // of the error, of a task that failed
	Cause  string
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

// Open begins a task that waits on the token. It does nothing where the token is known.
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

// Succeed ends the task with its output, JSON of at most 256 KiB. It returns nil for a task that is
// closed or was never opened, and a [*verification.Error] with code backend_unavailable when the
// context is over, and with internal for an output that is not accepted.
func (t *Tasks) Succeed(ctx context.Context, token string, output []byte) error {
	if len(output) > mostOutput || !json.Valid(output) {
		return verification.NewError(verification.CodeInternal, "the task's output is not accepted")
	}
	return t.end(ctx, token, Outcome{Output: string(output)})
}

// Fail ends the task with the name of an error and a sentence, of any length. It returns what Succeed
// does.
func (t *Tasks) Fail(ctx context.Context, token, name, cause string) error {
	return t.end(ctx, token, Outcome{Failed: true, Name: name, Cause: cause})
}

func (t *Tasks) end(ctx context.Context, token string, outcome Outcome) error {
	if ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the task is out of reach")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	task := t.tasks[token]
	if task == nil || task.over() {
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
	if task := t.tasks[token]; task != nil && task.over() {
		return task.outcome, true
	}
	return Outcome{}, false
}

// Wait returns how the task of the token ends, and opens it where it is not known. It returns the
// context's error when that ends first.
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

func (t *task) over() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}
