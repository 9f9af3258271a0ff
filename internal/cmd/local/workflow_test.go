package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/memory"
)

// machine is what the tests read of the state machine's definition.
type machine struct {
	States map[string]struct {
		Type, Next, Default string
		Parameters          json.RawMessage
		Result              json.RawMessage
		Catch               []struct {
			ErrorEquals []string
			Next        string
		}
		Choices []struct {
			StringEquals, Next string
		}
	}
}

func verifyIdentity(t *testing.T) machine {
	t.Helper()
	text, err := os.ReadFile("../../../functions/awaitdecision/verifyidentity.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var m machine
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// same fails unless the ending is what the state of the definition says: a Pass state's output, or
// a failure.
func (m machine) same(t *testing.T, state, why string, got ending, statusInput string) {
	t.Helper()
	s := m.States[state]
	var want map[string]any
	if text := append(s.Parameters, s.Result...); len(text) > 0 {
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
	}
	if s.Type == "Fail" {
		if got.output != nil || got.err == "" {
			t.Errorf("%s: got %+v, want a failure", why, got.output)
		}
		return
	}
	if got.output == nil {
		t.Fatalf("%s: got the error %q, want the output %v", why, got.err, want)
	}
	status := want["status"]
	if want["status.$"] != nil {
		status = statusInput
	}
	var said any
	if got.output.Status != nil {
		said = *got.output.Status
	}
	if got.output.Outcome != want["outcome"] || said != status {
		t.Errorf("%s: got %s %v, want %v %v", why, got.output.Outcome, said, want["outcome"], status)
	}
}

// Ensure that a workflow here ends as the state machine that is deployed would.
func TestOutcomeOf_asDeployed(t *testing.T) {
	t.Parallel()
	m := verifyIdentity(t)
	checked := 0
	for _, catch := range m.States["AwaitDecision"].Catch {
		for _, name := range catch.ErrorEquals {
			m.same(t, catch.Next, name, outcomeOf(memory.Outcome{Failed: true, Name: name}, "s-1"), "")
			checked++
		}
	}
	for _, choice := range m.States["WhichStatus"].Choices {
		m.same(t, choice.Next, choice.StringEquals, outcomeOf(memory.Outcome{Output: `{"status":"` + choice.StringEquals + `"}`}, "s-1"), choice.StringEquals)
		checked++
	}
	m.same(t, m.States["WhichStatus"].Default, "another status", outcomeOf(memory.Outcome{Output: `{"status":"In Review"}`}, "s-1"), "")
	for _, catch := range m.States["CreateSession"].Catch {
		for _, name := range catch.ErrorEquals {
			m.same(t, catch.Next, name, outcomeOfCreate(messages.InvokeResponse_Error{Type: name}), "")
			checked++
		}
	}
	if checked < 8 {
		t.Errorf("checked %d ways to end, want 8 at least", checked)
	}
	if got := outcomeOf(memory.Outcome{Failed: true, Name: "InternalError"}, "s-1"); got.output != nil || got.err != "InternalError" {
		t.Errorf("a task that failed otherwise: got %+v", got)
	}
	if got := outcomeOfCreate(errors.New("x")); got.output != nil || got.err != "Lambda.Unknown" {
		t.Errorf("an error without a name: got %+v", got)
	}
}

// called is a function with a fixed answer that keeps what it was called with.
type called struct {
	answer  string
	err     error
	payload string
}

func (c *called) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	c.payload = string(payload)
	return []byte(c.answer), c.err
}

// Ensure that an execution shows how it ended, at each point where it can end.
func TestWorkflows_start(t *testing.T) {
	t.Parallel()
	failure := func(name string) error { return messages.InvokeResponse_Error{Type: name} }
	for _, test := range []struct {
		name          string
		create, await *called
		state, errs   string
		outcome       string
	}{
		{"the workflow is not allowed", &called{err: failure("WorkflowNotAllowed")}, &called{}, "failed", "WorkflowNotAllowed", ""},
		{"the user is blocked", &called{err: failure("UserBlocked")}, &called{}, "succeeded", "", "rejected"},
		{"the table is out of reach", &called{answer: `{"session_id":"s-1"}`}, &called{err: failure("BackendUnavailable")}, "failed", "BackendUnavailable", ""},
		{"the session is gone", &called{answer: `{"session_id":"s-1"}`}, &called{err: failure("SessionNotFound")}, "succeeded", "", "not_finished"},
		{"it waits", &called{answer: `{"session_id":"s-1"}`}, &called{answer: `{}`}, "waiting", "", ""},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var seen []string
		w := &workflows{create: test.create, await: test.await, tasks: &memory.Tasks{}, watch: func(x execution) { seen = append(seen, x.State) }}
		x := w.start(ctx, "u-1")
		outcome := ""
		if x.Output != nil {
			outcome = x.Output.Outcome
		}
		if x.State != test.state || x.Error != test.errs || outcome != test.outcome {
			t.Errorf("%s: got %s %s %s, want %s %s %s", test.name, x.State, x.Error, outcome, test.state, test.errs, test.outcome)
		}
		const asked = `{"contact_details":{"email":null,"send_notification_emails":true},"include_url":false,"vendor_data":"u-1","workflow_id":null}`
		if test.create.payload != asked {
			t.Errorf("%s: createsession got %s", test.name, test.create.payload)
		}
		cancel()
		w.waiting.Wait()
		if got := seen[len(seen)-1]; got == "waiting" || seen[0] != test.state {
			t.Errorf("%s: it was seen as %q, want %s first and an end", test.name, seen, test.state)
		}
	}
}

// Ensure that the latest executions are remembered.
func TestWorkflows_latest(t *testing.T) {
	t.Parallel()
	w := &workflows{create: &called{err: errors.New("x")}, await: &called{}, tasks: &memory.Tasks{}}
	for range maxExecutions + 5 {
		w.start(t.Context(), "u-1")
	}
	if got := len(w.executions); got != maxExecutions {
		t.Errorf("got %d, want %d", got, maxExecutions)
	}
	if x, err := w.wait(t.Context(), "execution-105"); err != nil || x.State != "failed" {
		t.Errorf("got %+v, %v", x, err)
	}
	if _, err := w.wait(t.Context(), "execution-1"); err == nil {
		t.Error("one that is forgotten: got no error")
	}
}
