//go:build system

package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// emailAddress is that of end users.
const emailAddress = "jo@example.com"

// execution is one run of a state machine, and how it must end.
type execution struct {
	name    string
	machine string // ARN; empty: the one that is shipped
	input   map[string]any
	fault   didittest.Fault // of Didit during the execution; the zero value: none
	decide  string          // status that Didit sets once the task waits; empty: it does not wait
	outcome string          // of the output
	status  any             // of the output: a string, or nil
	fails   string          // error of an execution that fails; empty: it does not
	blank   bool            // the output names no session
}

// testWorkflow runs the shipped state machine to each of its ends.
func (s *system) testWorkflow(t *testing.T) {
	input := func(user string) map[string]any { return map[string]any{"user_id": user} }
	for _, e := range []execution{
		{name: "Approved is verified", decide: "Approved", outcome: "verified", status: "Approved",
			input: map[string]any{"user_id": "user-of-e-mail", "email": emailAddress, "workflow_id": workflow}},
		{name: "Declined is rejected", input: input("user-of-declined"), decide: "Declined", outcome: "rejected", status: "Declined"},
		{name: "Expired is not_finished", input: input("user-of-expired"), decide: "Expired", outcome: "not_finished", status: "Expired"},
		{name: "Abandoned is not_finished", input: input("user-of-abandoned"), decide: "Abandoned", outcome: "not_finished", status: "Abandoned"},
		{name: "Kyc Expired is not_finished", input: input("user-of-kyc"), decide: "Kyc Expired", outcome: "not_finished", status: "Kyc Expired"},
		{name: "a blocked user is rejected, without a session", input: input("user-of-blocked"),
			fault: didittest.UserBlocked, outcome: "rejected", blank: true},
		{name: "a bad address fails with InvalidRequest", input: map[string]any{"user_id": "user-of-typos", "email": "jo"}, fails: "InvalidRequest"},
		{name: "no user fails with InvalidRequest", input: map[string]any{"email": emailAddress}, fails: "InvalidRequest"},
		{name: "a paid plan that is missing fails with PlanRequired", input: input("user-of-plans"),
			fault: didittest.PaidPlan, fails: "PlanRequired"},
	} {
		s.step(t, e.name, func(t *testing.T) { s.execute(t, e) })
	}
	s.step(t, "a session that neither Didit nor the table knows is not_finished", s.testUnknown)
	s.step(t, "no decision in time is not_finished, and a late one finds the task closed", s.testTimeout)
	s.step(t, "Throttled is retried", s.testRetry)
	s.step(t, "a session that is decided already ends the task at once", s.testDecided)
	s.step(t, "two executions wait for one session", s.testTwo)
}

// execute runs the state machine to its end.
func (s *system) execute(t *testing.T, e execution) {
	t.Helper()
	if e.fault.Name != "" {
		s.didit.Inject(e.fault)
		defer s.didit.ClearFaults()
	}
	arn := s.begin(t, e)
	if e.decide != "" {
		s.setStatus(t, s.awaitTasks(t, e, 1), e.decide)
	}
	s.end(t, arn, e)
}

// begin starts an execution, with a name: moto gives an execution without one an ARN that it does
// not find again.
func (s *system) begin(t *testing.T, e execution) (arn string) {
	t.Helper()
	input, err := json.Marshal(e.input)
	if err != nil {
		t.Fatal(err)
	}
	if e.machine == "" {
		e.machine = s.stateMachine
	}
	s.executions++
	var started struct {
		ARN string `json:"executionArn"`
	}
	s.call(t, stepfunctions, "StartExecution", map[string]string{
		"stateMachineArn": e.machine, "name": fmt.Sprint("execution-", s.executions), "input": string(input)}, &started)
	return started.ARN
}

// sessionID is the end user's latest session at Didit, or "".
func (s *system) sessionID(e execution) string {
	id, _ := e.input["session_id"].(string)
	for _, session := range s.didit.Sessions() {
		if session.VendorData == e.input["user_id"] {
			id = session.ID
		}
	}
	return id
}

// awaitTasks waits until at least that many tasks wait for the end user's session, because a retry
// by Step Functions may add some; 0 is exact.
func (s *system) awaitTasks(t *testing.T, e execution, want int) (sessionID string) {
	t.Helper()
	s.eventually(t, func(ctx context.Context) error {
		if sessionID = s.sessionID(e); sessionID == "" {
			return mismatch("session of the execution", "none", "one")
		}
		got, err := s.countTasks(ctx, sessionID)
		if err == nil && (got < want || want == 0 && got > 0) {
			err = mismatch("waiting tasks in the table", got, want)
		}
		return err
	})
	return sessionID
}

// countTasks counts the tasks that wait for a session.
func (s *system) countTasks(ctx context.Context, sessionID string) (int, error) {
	var got struct{ Count int }
	err := s.aws.call(ctx, dynamodb, "Query", map[string]any{
		"TableName": s.table, "ConsistentRead": true, "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
		"ExpressionAttributeValues": map[string]attribute{":pk": {S: sessionID}, ":sk": {S: "T#"}}}, &got)
	return got.Count, err
}

// end waits for the end of an execution and compares it. No task must be left waiting then.
func (s *system) end(t *testing.T, arn string, e execution) {
	t.Helper()
	var got struct{ Status, Output, Error, Cause string }
	s.eventually(t, func(ctx context.Context) error {
		err := s.aws.call(ctx, stepfunctions, "DescribeExecution", map[string]string{"executionArn": arn}, &got)
		if err == nil && got.Status == "RUNNING" {
			err = mismatch("execution", "RUNNING", "an end")
		}
		return err
	})
	if e.fails != "" {
		if got.Status != "FAILED" || got.Error != e.fails {
			t.Fatal(mismatch("execution", got, "FAILED with "+e.fails))
		}
		return
	}
	want := map[string]any{"outcome": e.outcome, "status": e.status, "session_id": nil}
	if !e.blank {
		want["session_id"] = s.sessionID(e)
	}
	wantText, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var output map[string]any
	_ = json.Unmarshal([]byte(got.Output), &output)
	if sorted, _ := json.Marshal(output); got.Status != "SUCCEEDED" || !bytes.Equal(sorted, wantText) {
		t.Fatal(mismatch("execution", got, "SUCCEEDED with "+string(wantText)))
	}
	if e.decide != "" {
		s.awaitTasks(t, e, 0)
	}
}

// variant puts a state machine into moto that is the shipped one with a change.
func (s *system) variant(t *testing.T, name string, change func(machine, create, await map[string]any)) (arn string) {
	t.Helper()
	var machine map[string]any
	if err := json.Unmarshal([]byte(s.definition(t)), &machine); err != nil {
		t.Fatal(err)
	}
	create, _ := at(machine, "States", "CreateSession").(map[string]any)
	await, ok := at(machine, "States", "AwaitDecision").(map[string]any)
	if !ok || create == nil {
		t.Fatal("the state machine has no states CreateSession and AwaitDecision")
	}
	change(machine, create, await)
	changed, err := json.Marshal(machine)
	if err != nil {
		t.Fatal(err)
	}
	return s.putStateMachine(t, name, string(changed))
}

// testTimeout waits three seconds instead of thirty days.
func (s *system) testTimeout(t *testing.T) {
	machine := s.variant(t, "Impatient", func(_, _, await map[string]any) { await["TimeoutSeconds"] = 3 })
	e := execution{machine: machine, input: map[string]any{"user_id": "user-of-patience"}, outcome: "not_finished"}
	arn := s.begin(t, e)
	// The token is stored even if that takes longer than the task lasts.
	id := s.awaitTasks(t, e, 1)
	s.end(t, arn, e)
	s.setStatus(t, id, "Approved")
	s.awaitTasks(t, e, 0)
	s.awaitStatus(t, id, "Approved")
}

// testRetry retries after a second instead of five.
func (s *system) testRetry(t *testing.T) {
	machine := s.variant(t, "Hasty", func(_, create, _ map[string]any) {
		for _, retrier := range create["Retry"].([]any) {
			retrier.(map[string]any)["IntervalSeconds"] = 1
		}
	})
	before := len(s.createAnswers())
	s.execute(t, execution{machine: machine, input: map[string]any{"user_id": "user-of-limits"},
		fault: didittest.RateLimited.Once(), decide: "Approved", outcome: "verified", status: "Approved"})
	// Didit refuses the first request alone. A request that was not answered in time may stand
	// between the two.
	got := s.createAnswers()[before:]
	if len(got) < 2 || got[0] != http.StatusTooManyRequests || !slices.Contains(got[1:], http.StatusCreated) {
		t.Error(mismatch("answers to requests for a session", got, "429, then 201"))
	}
}

// createAnswers are the statuses of Didit's answers to requests for sessions.
func (s *system) createAnswers() (statuses []int) {
	for _, r := range s.didit.Requests() {
		if r.Op == didittest.OpCreate {
			statuses = append(statuses, r.Status)
		}
	}
	return statuses
}

// testDecided begins where the session exists already.
func (s *system) testDecided(t *testing.T) {
	machine := s.variant(t, "Late", func(machine, _, _ map[string]any) { machine["StartAt"] = "AwaitDecision" })
	id := s.create(t, "user-of-the-past")
	s.change(t, id, "Declined", "", http.StatusOK, "Declined")
	s.execute(t, execution{machine: machine, input: map[string]any{"session_id": id}, outcome: "rejected", status: "Declined"})
}

// testUnknown begins with the id of no session. One that is on record waits on, whatever Didit
// answers.
func (s *system) testUnknown(t *testing.T) {
	machine := s.variant(t, "Unknown", func(machine, _, _ map[string]any) { machine["StartAt"] = "AwaitDecision" })
	s.execute(t, execution{machine: machine, outcome: "not_finished",
		input: map[string]any{"session_id": "00000000-2222-3333-4444-555555555555"}})
}

// testTwo relies on Didit, which returns an unfinished session again.
func (s *system) testTwo(t *testing.T) {
	e := execution{input: map[string]any{"user_id": "user-of-two"}, decide: "Approved", outcome: "verified", status: "Approved"}
	var arns []string
	for range 2 {
		arn := s.begin(t, e)
		s.awaitSubmitted(t, arn)
		arns = append(arns, arn)
	}
	s.setStatus(t, s.awaitTasks(t, e, 2), e.decide)
	for _, arn := range arns {
		s.end(t, arn, e)
	}
}

// awaitSubmitted waits until the function that stores the task's token has returned.
func (s *system) awaitSubmitted(t *testing.T, arn string) {
	t.Helper()
	type historyEvent struct {
		Type string `json:"type"`
	}
	s.eventually(t, func(ctx context.Context) error {
		var history struct {
			Events []historyEvent `json:"events"`
		}
		err := s.aws.call(ctx, stepfunctions, "GetExecutionHistory", map[string]string{"executionArn": arn}, &history)
		if err == nil && !slices.Contains(history.Events, historyEvent{"TaskSubmitted"}) {
			err = mismatch("events of the execution", history.Events, "TaskSubmitted")
		}
		return err
	})
}
