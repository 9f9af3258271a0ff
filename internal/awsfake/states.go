package awsfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"unicode/utf8"
)

// StepFunctions is a fake of AWS Step Functions with the operations that complete waiting tasks,
// SendTaskSuccess and SendTaskFailure. It runs no state machine: a task waits from
// [StepFunctions.Open] until the first request that completes it. What its requests are about, for
// [Service.FailOnly], is the task's token. A function finds it by the variable
// AWS_ENDPOINT_URL_SFN.
type StepFunctions struct {
	Service

	mu    sync.Mutex
	tasks map[string]*TaskOutcome // by token; nil while the task waits
}

// TaskOutcome is how a task ended. It prints without its output and cause.
type TaskOutcome struct {
	Failed bool
	Output string // JSON, if it succeeded
	Error  string // name of the error, if it failed
	Cause  string
}

// Format prints how the task ended, for every verb.
func (o TaskOutcome) Format(f fmt.State, _ rune) {
	if o.Failed {
		_, _ = io.WriteString(f, "failed with "+o.Error)
		return
	}
	_, _ = io.WriteString(f, "succeeded")
}

// Open adds a task that waits on the token. It does nothing if the token is known.
func (s *StepFunctions) Open(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks == nil {
		s.tasks = make(map[string]*TaskOutcome)
	}
	if _, known := s.tasks[token]; !known {
		s.tasks[token] = nil
	}
}

// Outcome returns how the task of the token ended, and whether it did.
func (s *StepFunctions) Outcome(token string) (TaskOutcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outcome := s.tasks[token]; outcome != nil {
		return *outcome, true
	}
	return TaskOutcome{}, false
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (s *StepFunctions) Start() error { return s.Listen(s) }

var statesProtocol = Protocol{
	ContentType: "application/x-amz-json-1.0", Target: "AWSStepFunctions", Name: "states", MaxBytes: 2 << 20,
	Resource: "arn:aws:states:" + Region + ":" + Account + ":stateMachine:VerifyIdentity",
	Faults: map[Fault]Refusal{
		InternalError:    {500, "InternalFailure", "An internal error occurred."},
		TaskTimedOut:     {400, "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"},
		TaskDoesNotExist: {400, "TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'"},
		NotFound:         {400, "TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'"},
		InvalidToken:     {400, "InvalidToken", "Invalid Token: 'Invalid token'"},
		KeyDenied:        {400, "KmsAccessDeniedException", "The caller may not use the key arn:aws:kms:" + Region + ":" + Account + ":key/state-machine."},
	},
}

// Limits in characters (AWS Step Functions: SendTaskSuccess, SendTaskFailure).
const (
	maxToken  = 2048
	maxOutput = 262144
	maxError  = 256
	maxCause  = 32768
)

// taskRequest is a request that completes a task.
type taskRequest struct {
	TaskToken string  `json:"taskToken"`
	Output    *string `json:"output"` // nil: missing
	Error     string  `json:"error"`
	Cause     string  `json:"cause"`
}

// ServeHTTP answers a request that completes a task.
func (s *StepFunctions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	statesProtocol.Serve(w, r, s.complete)
}

func (s *StepFunctions) complete(r *Request) (any, error) {
	failed := r.Operation == "SendTaskFailure"
	if !failed && r.Operation != "SendTaskSuccess" {
		return nil, ErrUnknownOperation
	}
	var request taskRequest
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	if fault := s.Count(request.TaskToken); fault != 0 {
		return nil, fault
	}
	if err := request.check(failed); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome, known := s.tasks[request.TaskToken]
	switch {
	case !known:
		return nil, InvalidToken
	case outcome != nil:
		return nil, TaskTimedOut
	}
	s.tasks[request.TaskToken] = &TaskOutcome{failed, orDefault(request.Output, ""), request.Error, request.Cause}
	return struct{}{}, nil
}

// check refuses a malformed request.
func (r taskRequest) check(failed bool) error {
	output := orDefault(r.Output, "")
	for _, part := range []struct {
		name, text string
		missing    bool
		limit      int
	}{
		{"taskToken", r.TaskToken, r.TaskToken == "", maxToken},
		{"output", output, r.Output == nil && !failed, maxOutput},
		{"error", r.Error, false, maxError},
		{"cause", r.Cause, false, maxCause},
	} {
		if part.missing || utf8.RuneCountInString(part.text) > part.limit {
			return Refuse("ValidationException", "1 validation error detected: Value at '"+part.name+"' failed to satisfy constraint")
		}
	}
	if !failed && !json.Valid([]byte(output)) {
		return Refuse("InvalidOutput", "Invalid Output: 'The output is not valid JSON'")
	}
	return nil
}

// orDefault returns the string, or fallback if it is nil.
func orDefault(s *string, fallback string) string {
	if s == nil {
		return fallback
	}
	return *s
}
