package lambdatest

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
)

// StepFunctions plays the part of AWS Step Functions that completes waiting
// tasks, SendTaskSuccess and SendTaskFailure, in the AWS JSON 1.0 protocol,
// with faults on demand. It is an [http.Handler]; Start puts it on loopback by
// itself. A function finds it by the variable AWS_ENDPOINT_URL_SFN.
//
// It runs no state machine: a task waits from [StepFunctions.Open] until the
// first request that completes it, or until [StepFunctions.Expire].
//
// Requests must be signed (Signature Version 4), but signatures are not
// verified. It prints, logs and encodes without its tasks.
//
// The zero value has no tasks and is ready to use. All methods may be called
// from several goroutines; a StepFunctions must not be copied.
type StepFunctions struct {
	mu     sync.Mutex
	tasks  map[string]*TaskOutcome // by token; nil: waits
	calls  int
	faults faultQueue

	server *http.Server
	url    string
}

// TaskOutcome is how a task ended. It prints without output and cause.
type TaskOutcome struct {
	Failed bool
	Output string // JSON, of a task that succeeded
	Error  string // name of the error, of a task that failed
	Cause  string
}

// Format prints how the task ended, for every verb.
func (o TaskOutcome) Format(f fmt.State, _ rune) {
	if o.Failed {
		io.WriteString(f, "failed with "+o.Error)
		return
	}
	io.WriteString(f, "succeeded")
}

// Open begins a task that waits on the token. It does nothing where the token
// is known.
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

// Expire ends a waiting task without an answer, as its timeout does: it fails
// with States.Timeout.
func (s *StepFunctions) Expire(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outcome, known := s.tasks[token]; known && outcome == nil {
		s.tasks[token] = &TaskOutcome{Failed: true, Error: "States.Timeout"}
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

// Calls returns how many requests have come in, refused and faulted ones
// included.
func (s *StepFunctions) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Fail makes the next n requests end in fault, or all of them with
// [UntilCleared]. Faults of several calls follow one another; n of 0 adds none.
func (s *StepFunctions) Fail(fault Fault, n int) { s.FailToken("", fault, n) }

// FailToken is Fail for the requests that complete the task of one token; empty:
// for all.
func (s *StepFunctions) FailToken(token string, fault Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.add(fault, n, token)
}

// ClearFaults lets requests succeed again. One that Silence holds stays held.
func (s *StepFunctions) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (s *StepFunctions) Start() error {
	server, address, err := serve(s)
	if err != nil {
		return fmt.Errorf("start Step Functions: %w", err)
	}
	s.server, s.url = server, "http://"+address
	return nil
}

// URL is the endpoint after Start, without a slash at its end.
func (s *StepFunctions) URL() string { return s.url }

// Close ends what Start began, requests kept waiting by a fault included. It
// does nothing without Start.
func (s *StepFunctions) Close() {
	if s.server != nil {
		s.server.Close()
	}
}

// String names the type only.
func (s *StepFunctions) String() string { return "lambdatest.StepFunctions(redacted)" }

// GoString names the type only.
func (s *StepFunctions) GoString() string { return s.String() }

// LogValue names the type only.
func (s *StepFunctions) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText names the type only.
func (s *StepFunctions) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
