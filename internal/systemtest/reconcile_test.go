//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// testReconcile loses a webhook: reconcile must find the decision, and end the execution that
// waits.
func (s *system) testReconcile(t *testing.T) {
	e := execution{input: map[string]any{"user_id": "user-of-losses"}, decide: "Approved", outcome: "verified", status: "Approved"}
	arn := s.begin(t, e)
	id := s.awaitTasks(t, e, 1)
	// By then awaitdecision has asked Didit itself, every event but the last is recorded, and the
	// webhook to lose comes next.
	s.awaitSubmitted(t, arn)
	s.change(t, id, "In Progress", "", http.StatusOK, "In Progress")
	s.didit.Misdeliver(didittest.SendNever, 1)
	s.setStatus(t, id, e.decide)
	s.settle(t)
	s.awaitNextSecond(t, id)
	s.reconcile(t, id)
	s.end(t, arn, e)
	s.awaitStatus(t, id, e.decide)
}

// awaitNextSecond waits until the second of the recorded status is over: a read loses to what was
// delivered in its own second.
func (s *system) awaitNextSecond(t *testing.T, id string) {
	t.Helper()
	recorded, err := s.attribute(s.ctx, id, "status_at")
	if err != nil {
		t.Fatal(err)
	}
	at, err := strconv.ParseInt(recorded.N, 10, 64)
	if err != nil {
		t.Fatal("status_at:", err)
	}
	s.eventually(t, func(context.Context) error {
		if now := time.Now(); now.Unix() <= time.UnixMilli(at).Unix() {
			return mismatch("time", now, "later than the second of "+recorded.N)
		}
		return nil
	})
}

// reconcile invokes the function until no task waits for the session any more. On an idle machine
// that is once; a session about which Didit or the table did not answer in time is left for a later
// run.
func (s *system) reconcile(t *testing.T, id string) {
	t.Helper()
	s.eventually(t, func(ctx context.Context) error {
		if err := s.makeDue(ctx, id); err != nil {
			return err
		}
		var sum struct{ Asked, Changed, Failed int }
		schedule := json.RawMessage(`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`)
		if err := s.aws.ask(ctx, "ReconcileFunction", schedule, &sum); err != nil {
			return err
		}
		waiting, err := s.countTasks(ctx, id)
		if err == nil && waiting > 0 {
			err = mismatch("waiting tasks after reconcile", fmt.Sprintf("%d, %+v", waiting, sum), 0)
		}
		return err
	})
}

// makeDue makes the session due since an hour ago, and forgets that it was read.
func (s *system) makeDue(ctx context.Context, id string) error {
	ago := fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli())
	return s.aws.call(ctx, dynamodb, "UpdateItem", map[string]any{
		"TableName": s.table, "Key": map[string]attribute{"pk": {S: id}, "sk": {S: "S"}},
		"UpdateExpression": "SET due_from = :ago REMOVE read_at", "ConditionExpression": "attribute_exists(due_from)",
		"ExpressionAttributeValues": map[string]attribute{":ago": {N: ago}}}, nil)
}
