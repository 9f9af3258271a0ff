package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// derived puts a state machine into moto that is the shipped one but for a change.
func (s *system) derived(ctx context.Context, name string, change func(machine, create, await map[string]any)) (arn string, err error) {
	text, err := s.definition()
	if err != nil {
		return "", err
	}
	var machine map[string]any
	if err := json.Unmarshal([]byte(text), &machine); err != nil {
		return "", err
	}
	create, _ := at(machine, "States", "CreateSession").(map[string]any)
	await, ok := at(machine, "States", "AwaitDecision").(map[string]any)
	if !ok || create == nil {
		return "", fmt.Errorf("the state machine has no states CreateSession and AwaitDecision")
	}
	change(machine, create, await)
	changed, err := json.Marshal(machine)
	if err != nil {
		return "", err
	}
	return s.putStateMachine(ctx, name, string(changed))
}

// testTimeout waits three seconds instead of thirty days.
func (s *system) testTimeout(ctx context.Context) error {
	machine, err := s.derived(ctx, "Impatient", func(_, _, await map[string]any) { await["TimeoutSeconds"] = 3 })
	if err != nil {
		return err
	}
	e := execution{machine: machine, input: map[string]any{"user_id": "user-of-patience"}, outcome: "not_finished"}
	arn, err := s.begin(ctx, e)
	if err != nil {
		return err
	}
	// The token is stored even where that took longer than the task lasts.
	if _, err := s.awaitTasks(ctx, e, 1); err != nil {
		return err
	}
	if err := s.end(ctx, arn, e); err != nil {
		return err
	}
	if err := s.didit.SetStatus(s.session(e), "Approved"); err != nil {
		return err
	}
	if _, err := s.awaitTasks(ctx, e, 0); err != nil {
		return err
	}
	return s.awaitStatus(ctx, s.session(e), "Approved")
}

// testRetry repeats after a second instead of five.
func (s *system) testRetry(ctx context.Context) error {
	machine, err := s.derived(ctx, "Hasty", func(_, create, _ map[string]any) {
		for _, retrier := range create["Retry"].([]any) {
			retrier.(map[string]any)["IntervalSeconds"] = 1
		}
	})
	if err != nil {
		return err
	}
	before := len(s.creates())
	if err := s.execute(ctx, execution{machine: machine, input: map[string]any{"user_id": "user-of-limits"},
		fault: didittest.RateLimited.Once(), decide: "Approved", outcome: "verified", status: "Approved"}); err != nil {
		return err
	}
	// Didit refuses the first request alone. A request without an answer in time may stand between
	// the two.
	got := s.creates()[before:]
	if len(got) < 2 || got[0] != http.StatusTooManyRequests || !slices.Contains(got[1:], http.StatusCreated) {
		return mismatch("answers to requests for a session", got, "429, then 201")
	}
	return nil
}

// creates are the statuses of Didit's answers to requests for sessions.
func (s *system) creates() (statuses []int) {
	for _, r := range s.didit.Requests() {
		if r.Op == didittest.OpCreate {
			statuses = append(statuses, r.Status)
		}
	}
	return statuses
}

// testDecided begins where the session exists already.
func (s *system) testDecided(ctx context.Context) error {
	machine, err := s.derived(ctx, "Late", func(machine, _, _ map[string]any) { machine["StartAt"] = "AwaitDecision" })
	if err != nil {
		return err
	}
	id, err := s.create(ctx, "user-of-the-past")
	if err == nil {
		err = s.change(ctx, id, "Declined", "", http.StatusOK, "Declined")
	}
	if err != nil {
		return err
	}
	return s.execute(ctx, execution{machine: machine, input: map[string]any{"session_id": id}, outcome: "rejected", status: "Declined"})
}

// testTwo relies on Didit, which hands out an unfinished session again.
func (s *system) testTwo(ctx context.Context) error {
	e := execution{input: map[string]any{"user_id": "user-of-two"}, decide: "Approved", outcome: "verified", status: "Approved"}
	first, err := s.begin(ctx, e)
	if err == nil {
		err = s.awaitSubmitted(ctx, first)
	}
	if err != nil {
		return err
	}
	second, err := s.begin(ctx, e)
	if err == nil {
		err = s.awaitSubmitted(ctx, second)
	}
	if err != nil {
		return err
	}
	id, err := s.awaitTasks(ctx, e, 2)
	if err == nil {
		err = s.didit.SetStatus(id, e.decide)
	}
	if err == nil {
		err = s.end(ctx, first, e)
	}
	if err == nil {
		err = s.end(ctx, second, e)
	}
	return err
}

// testReconcile loses a webhook.
func (s *system) testReconcile(ctx context.Context) {
	s.report.step(ctx, "reconcile finds a decision of which the webhook was lost, and ends the execution that waits", func(ctx context.Context) error {
		e := execution{input: map[string]any{"user_id": "user-of-losses"}, decide: "Approved", outcome: "verified", status: "Approved"}
		arn, err := s.begin(ctx, e)
		if err != nil {
			return err
		}
		id, err := s.awaitTasks(ctx, e, 1)
		if err != nil {
			return err
		}
		// awaitdecision has asked Didit itself by then, every event but the last is recorded, and
		// the webhook to lose comes next.
		if err := s.awaitSubmitted(ctx, arn); err != nil {
			return err
		}
		if err := s.change(ctx, id, "In Progress", "", http.StatusOK, "In Progress"); err != nil {
			return err
		}
		s.didit.Misdeliver(didittest.SendNever, 1)
		if err := s.didit.SetStatus(id, e.decide); err != nil {
			return err
		}
		if err := errors.Join(s.didit.Settle(ctx), s.awaitNextSecond(ctx, id)); err != nil {
			return err
		}
		err = s.reconcile(ctx, id)
		if err == nil {
			err = s.end(ctx, arn, e)
		}
		if err == nil {
			err = s.awaitStatus(ctx, id, e.decide)
		}
		return err
	})
}

// awaitSubmitted waits until the function that stores the task's token has returned.
func (s *system) awaitSubmitted(ctx context.Context, arn string) error {
	return poll(ctx, soon, func(ctx context.Context) error {
		var history struct {
			Events []struct {
				Type string `json:"type"`
			} `json:"events"`
		}
		err := s.aws.call(ctx, stepfunctions, "GetExecutionHistory", map[string]string{"executionArn": arn}, &history)
		for _, e := range history.Events {
			if e.Type == "TaskSubmitted" {
				return nil
			}
		}
		return errors.Join(err, mismatch("events of the execution", history.Events, "TaskSubmitted"))
	})
}

// awaitNextSecond waits until the second of the recorded status is over: a read loses to what was
// delivered of its own second.
func (s *system) awaitNextSecond(ctx context.Context, id string) error {
	recorded, err := s.attribute(ctx, id, "status_at")
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(recorded.N, 10, 64)
	if err != nil {
		return fmt.Errorf("status_at: %w", err)
	}
	return poll(ctx, soon, func(context.Context) error {
		if now := time.Now(); now.Unix() <= time.UnixMilli(at).Unix() {
			return mismatch("time", now, "later than the second of "+recorded.N)
		}
		return nil
	})
}

// reconcile invokes the function until no task waits for the session any more. On an idle machine
// that is once; it leaves a session that Didit or the table did not answer about in time for a
// later run.
func (s *system) reconcile(ctx context.Context, id string) error {
	return poll(ctx, soon, func(ctx context.Context) error {
		if err := s.makeDue(ctx, id); err != nil {
			return err
		}
		var sum struct{ Asked, Changed, Failed int }
		if err := s.aws.ask(ctx, "ReconcileFunction", json.RawMessage(`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`), &sum); err != nil {
			return err
		}
		waiting, err := s.tasks(ctx, id)
		if err == nil && waiting > 0 {
			err = mismatch("waiting tasks after reconcile", fmt.Sprintf("%d, %+v", waiting, sum), 0)
		}
		return err
	})
}

// makeDue sets the time since which a session has been due to an hour ago.
func (s *system) makeDue(ctx context.Context, id string) error {
	table, _, err := s.template.only("AWS::DynamoDB::Table")
	if err != nil {
		return err
	}
	ago := fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli())
	return s.aws.call(ctx, dynamodb, "UpdateItem", map[string]any{
		"TableName": table, "Key": map[string]attribute{"pk": {S: id}, "sk": {S: "S"}},
		"UpdateExpression": "SET due_from = :ago", "ConditionExpression": "attribute_exists(due_from)",
		"ExpressionAttributeValues": map[string]attribute{":ago": {N: ago}}}, nil)
}
