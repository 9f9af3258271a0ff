package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// maxExecutions is how many executions are kept.
const maxExecutions = 100

// maxWait is the state machine's TimeoutSeconds.
const maxWait = 30 * 24 * time.Hour

// workflows replaces Step Functions and the state machine VerifyIdentity
// (functions/awaitdecision/verifyidentity.asl.json): each execution invokes createsession directly,
// waits on a task token, and has the outcome as its output. Unlike there, nothing is retried. Set
// create, await and tasks before first use, and watch, if at all. It is safe for concurrent use.
type workflows struct {
	create, await function
	tasks         *memory.Tasks
	watch         func(execution) // is called when one waits and when it ends; nil: nothing is

	mu         sync.Mutex
	executions []*execution // oldest first
	started    int
	waiting    sync.WaitGroup
}

// execution is one run of the workflow, as the page shows it.
type execution struct {
	Name      string    `json:"name"`
	StartedAt time.Time `json:"started_at"`
	State     string    `json:"state"` // waiting, succeeded or failed
	SessionID string    `json:"session_id"`
	Output    *output   `json:"output"` // of one that succeeded
	Error     string    `json:"error"`  // of one that failed
	ended     chan struct{}
}

// start runs the workflow for a user until it waits or has ended, and returns its state. One that
// waits times out when ctx ends.
func (w *workflows) start(ctx context.Context, userID string) execution {
	sessionID, err := w.createSession(ctx, userID)
	x := w.begin(sessionID)
	if err != nil {
		return w.end(x, outcomeOfCreate(err))
	}
	token := rand.Text()
	w.tasks.Open(token)
	payload, _ := json.Marshal(map[string]string{"session_id": sessionID, "task_token": token})
	if _, err := w.await.Invoke(ctx, payload); err != nil {
		return w.end(x, outcomeOf(memory.Outcome{Failed: true, Name: errorName(err)}, sessionID))
	}
	w.observe(w.shown(x))
	w.waiting.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, maxWait)
		defer cancel()
		task, err := w.tasks.Wait(ctx, token)
		if err != nil {
			task = memory.Outcome{Failed: true, Name: timedOut}
		}
		w.end(x, outcomeOf(task, sessionID))
	})
	return w.shown(x)
}

func (w *workflows) begin(sessionID string) *execution {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started++
	x := &execution{
		Name: "execution-" + strconv.Itoa(w.started), StartedAt: time.Now().UTC(), State: "waiting", SessionID: sessionID,
		ended: make(chan struct{}),
	}
	w.executions = append(w.executions, x)
	if len(w.executions) > maxExecutions {
		w.executions = slices.Delete(w.executions, 0, 1)
	}
	return x
}

// createSession is the state of that name. An execution keeps no URL: the user's app asks for it.
func (w *workflows) createSession(ctx context.Context, userID string) (sessionID string, err error) {
	payload, _ := json.Marshal(map[string]any{
		"vendor_data": userID, "workflow_id": nil, "include_url": false,
		"contact_details": map[string]any{"email": nil, "send_notification_emails": true},
	})
	answer, err := w.create.Invoke(ctx, payload)
	if err != nil {
		return "", err
	}
	var session struct {
		SessionID string `json:"session_id"`
	}
	err = json.Unmarshal(answer, &session)
	return session.SessionID, err
}

func (w *workflows) end(x *execution, e ending) execution {
	w.mu.Lock()
	x.State, x.Output, x.Error = "succeeded", e.output, e.err
	if e.output == nil {
		x.State = "failed"
	}
	ended := *x
	w.mu.Unlock()
	w.observe(ended)
	close(x.ended)
	return ended
}

func (w *workflows) observe(x execution) {
	if w.watch != nil {
		w.watch(x)
	}
}

func (w *workflows) shown(x *execution) execution {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *x
}

// wait returns the execution of the name once it has ended. It fails if there is none, and when the
// context ends first.
func (w *workflows) wait(ctx context.Context, name string) (execution, error) {
	w.mu.Lock()
	i := slices.IndexFunc(w.executions, func(x *execution) bool { return x.Name == name })
	if i < 0 {
		w.mu.Unlock()
		return execution{}, errors.New("no such execution")
	}
	x := w.executions[i]
	w.mu.Unlock()
	select {
	case <-x.ended:
		return w.shown(x), nil
	case <-ctx.Done():
		return w.shown(x), ctx.Err()
	}
}

// output is the output of the state machine.
type output struct {
	Outcome   string  `json:"outcome"` // verified, rejected or not_finished
	Status    *string `json:"status"`
	SessionID *string `json:"session_id"`
}

// ending is the end of an execution: an output, or the name of an error.
type ending struct {
	output *output
	err    string
}

// timedOut is Step Functions' name for a task that took too long.
const timedOut = "States.Timeout"

// taskOutcomes are the outputs for a task that ended, by the status of its decision or the name of
// its error. Any other end is an error.
var taskOutcomes = map[string]struct{ outcome, status string }{
	verification.StatusApproved:       {"verified", verification.StatusApproved},
	verification.StatusDeclined:       {"rejected", verification.StatusDeclined},
	verification.StatusKYCExpired:     {"not_finished", verification.StatusKYCExpired},
	verification.TaskSessionExpired:   {"not_finished", verification.StatusExpired},
	verification.TaskSessionAbandoned: {"not_finished", verification.StatusAbandoned},
	verification.TaskSessionNotFound:  {"not_finished", ""},
	verification.TaskUserErased:       {"not_finished", ""},
	timedOut:                          {"not_finished", ""},
}

// outcomeOf returns the end of an execution whose task ended.
func outcomeOf(task memory.Outcome, sessionID string) ending {
	key := task.Name
	if !task.Failed {
		var decision struct {
			Status string `json:"status"`
		}
		_ = json.Unmarshal([]byte(task.Output), &decision)
		key = decision.Status
	}
	end, known := taskOutcomes[key]
	if !known {
		return ending{err: cmp.Or(task.Name, "InternalError")}
	}
	o := &output{Outcome: end.outcome, SessionID: &sessionID}
	if end.status != "" {
		o.Status = &end.status
	}
	return ending{output: o}
}

// outcomeOfCreate returns the end of an execution that could not create its session.
func outcomeOfCreate(err error) ending {
	name := errorName(err)
	if name == "UserBlocked" {
		return ending{output: &output{Outcome: "rejected"}}
	}
	return ending{err: name}
}

// errorName returns the name on which the state machine matches.
func errorName(err error) string {
	if failure, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return failure.Type
	}
	return "Lambda.Unknown"
}
