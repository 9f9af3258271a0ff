package main

import (
	"context"
	"encoding/json"
	"fmt"

	"didit-sessions/internal/didit/didittest"
)

// address is the e-mail address of end users.
const address = "jo@example.com"

// execution is one run of a state machine, and how it must end.
type execution struct {
	name    string
	machine string // ARN; empty: the one that is shipped
	input   map[string]any
	fault   didittest.Fault // that Didit meets the execution with; the zero value: none
	decide  string          // status that Didit sets once the task waits; empty: it does not wait
	outcome string          // of the output
	status  any             // of the output: a word, or nil
	fails   string          // error of an execution that fails; empty: it does not
	blank   bool            // the output names no session
}

// testWorkflow takes the shipped state machine to each of its ends.
func (s *system) testWorkflow(ctx context.Context) {
	input := func(user string) map[string]any { return map[string]any{"user_id": user} }
	for _, e := range []execution{
		{name: "Approved is verified", decide: "Approved", outcome: "verified", status: "Approved",
			input: map[string]any{"user_id": "user-of-e-mail", "email": address, "workflow_id": workflow}},
		{name: "Declined is rejected", input: input("user-of-declined"), decide: "Declined", outcome: "rejected", status: "Declined"},
		{name: "Expired is not_finished", input: input("user-of-expired"), decide: "Expired", outcome: "not_finished", status: "Expired"},
		{name: "Abandoned is not_finished", input: input("user-of-abandoned"), decide: "Abandoned", outcome: "not_finished", status: "Abandoned"},
		{name: "Kyc Expired is not_finished", input: input("user-of-kyc"), decide: "Kyc Expired", outcome: "not_finished", status: "Kyc Expired"},
		{name: "a session that Didit does not know is not_finished", input: input("user-of-unknown"),
			fault: didittest.SessionNotFound, outcome: "not_finished"},
		{name: "a blocked user is rejected, without a session", input: input("user-of-blocked"),
			fault: didittest.UserBlocked, outcome: "rejected", blank: true},
		{name: "a bad address fails by InvalidRequest", input: map[string]any{"user_id": "user-of-typos", "email": "jo"}, fails: "InvalidRequest"},
		{name: "no user fails by InvalidRequest", input: map[string]any{"email": address}, fails: "InvalidRequest"},
		{name: "a paid plan that is missing fails by PlanRequired", input: input("user-of-plans"),
			fault: didittest.PaidPlan, fails: "PlanRequired"},
	} {
		s.report.step(ctx, "state machine: "+e.name, func(ctx context.Context) error { return s.execute(ctx, e) })
	}
	s.report.step(ctx, "state machine: nobody decides in time is not_finished, and the late decision finds the task closed", s.testTimeout)
	s.report.step(ctx, "state machine: Throttled is repeated", s.testRetry)
	s.report.step(ctx, "state machine: a session that is decided already ends the task at once", s.testDecided)
	s.report.step(ctx, "state machine: two executions wait for one session", s.testTwo)
}

// execute runs the state machine to its end.
func (s *system) execute(ctx context.Context, e execution) error {
	if e.fault.Name != "" {
		s.didit.Inject(e.fault)
		defer s.didit.ClearFaults()
	}
	arn, err := s.begin(ctx, e)
	if err != nil {
		return err
	}
	if e.decide != "" {
		id, err := s.awaitTasks(ctx, e, 1)
		if err == nil {
			err = s.didit.SetStatus(id, e.decide)
		}
		if err != nil {
			return err
		}
	}
	return s.end(ctx, arn, e)
}

// begin starts an execution, under a name: moto gives those without a name an ARN that it does not find again.
func (s *system) begin(ctx context.Context, e execution) (arn string, err error) {
	input, err := json.Marshal(e.input)
	if err != nil {
		return "", err
	}
	if e.machine == "" {
		e.machine = s.machine
	}
	s.executions++
	var started struct {
		ARN string `json:"executionArn"`
	}
	err = s.aws.call(ctx, stepfunctions, "StartExecution", map[string]string{
		"stateMachineArn": e.machine, "name": fmt.Sprint("execution-", s.executions), "input": string(input)}, &started)
	return started.ARN, err
}

// session finds the end user's latest session at Didit.
func (s *system) session(e execution) string {
	id, _ := e.input["session_id"].(string)
	for _, session := range s.didit.Sessions() {
		if session.VendorData == e.input["user_id"] {
			id = session.ID
		}
	}
	return id
}

// awaitTasks waits until so many tasks wait for the end user's session; a task that Step Functions
// repeated may add some.
func (s *system) awaitTasks(ctx context.Context, e execution, want int) (sessionID string, err error) {
	err = poll(ctx, soon, func(ctx context.Context) error {
		if sessionID = s.session(e); sessionID == "" {
			return mismatch("session of the execution", "none", "one")
		}
		got, err := s.tasks(ctx, sessionID)
		if err == nil && (got < want || want == 0 && got > 0) {
			err = mismatch("waiting tasks in the table", got, want)
		}
		return err
	})
	return sessionID, err
}

// tasks counts the tasks that wait for a session.
func (s *system) tasks(ctx context.Context, sessionID string) (int, error) {
	table, _, err := s.template.only("AWS::DynamoDB::Table")
	var got struct{ Count int }
	if err == nil {
		err = s.aws.call(ctx, dynamodb, "Query", map[string]any{
			"TableName": table, "ConsistentRead": true, "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
			"ExpressionAttributeValues": map[string]attribute{":pk": {S: sessionID}, ":sk": {S: "T#"}}}, &got)
	}
	return got.Count, err
}

// end waits for the end of an execution and compares it. No task is left waiting then.
func (s *system) end(ctx context.Context, arn string, e execution) error {
	var got struct{ Status, Output, Error, Cause string }
	if err := poll(ctx, soon, func(ctx context.Context) error {
		err := s.aws.call(ctx, stepfunctions, "DescribeExecution", map[string]string{"executionArn": arn}, &got)
		if err == nil && got.Status == "RUNNING" {
			err = mismatch("execution", "RUNNING", "an end")
		}
		return err
	}); err != nil {
		return err
	}
	if e.fails != "" {
		if got.Status != "FAILED" || got.Error != e.fails {
			return mismatch("execution", fmt.Sprint(got.Status, " ", got.Error, got.Output), "FAILED "+e.fails)
		}
		return nil
	}
	want := map[string]any{"outcome": e.outcome, "status": e.status, "session_id": nil}
	if !e.blank {
		want["session_id"] = s.session(e)
	}
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	var output map[string]any
	_ = json.Unmarshal([]byte(got.Output), &output)
	if sorted, _ := json.Marshal(output); got.Status != "SUCCEEDED" || string(sorted) != string(text) {
		return mismatch("execution", fmt.Sprint(got.Status, " ", got.Output, got.Error, " ", got.Cause), fmt.Sprintf("SUCCEEDED %s", text))
	}
	if e.decide != "" {
		_, err = s.awaitTasks(ctx, e, 0)
	}
	return err
}
