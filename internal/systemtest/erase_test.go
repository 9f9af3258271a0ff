//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
)

// erased is eraseuser's answer.
type erased struct {
	Sessions    int
	Deleted     int
	UserDeleted bool `json:"user_deleted"`
}

// testErase has a user erased whose workflow waits, and tries to bring the session back.
func (s *system) testErase(t *testing.T) {
	const user = "user-of-erasure"
	e := execution{input: map[string]any{"user_id": user}, outcome: "not_finished"}
	arn := s.begin(t, e)
	id := s.awaitTasks(t, e, 1)
	s.awaitSubmitted(t, arn)
	s.settle(t)
	other := s.create(t, "user-of-others")
	s.settle(t)
	s.step(t, "eraseuser deletes the user's sessions, and then the user", func(t *testing.T) {
		s.erase(t, user, erased{1, 1, true})
		if session, _ := s.didit.Session(id); !session.Deleted || slices.Contains(s.didit.Users(), user) {
			t.Error(mismatch("the session and the users at Didit", session.Deleted, "deleted"))
		}
		if session, _ := s.didit.Session(other); session.Deleted {
			t.Error("another user's session is deleted")
		}
	})
	s.step(t, "the workflow that waited is not_finished", func(t *testing.T) { s.end(t, arn, e); s.awaitTasks(t, e, 0) })
	s.step(t, "the row says that it is erased, and nothing else", func(t *testing.T) { s.wantStripped(t, id) })
	s.step(t, "an event names the user", func(t *testing.T) { s.awaitErasure(t, user) })
	s.step(t, "nothing brings the session back", func(t *testing.T) {
		var got problem
		s.getAs(t, user, id, http.StatusNotFound, &got)
		for _, d := range s.didit.Deliveries() {
			if d.SessionID != id {
				continue
			}
			if again, err := s.didit.Resend(d.EventID); err != nil || again.Status != http.StatusOK {
				t.Fatal(mismatch("answer to a resent webhook", again.Status, http.StatusOK))
			}
			break
		}
		answer, err := s.aws.invoke(s.ctx, "AwaitDecisionFunction", []byte(`{"session_id":"`+id+`","task_token":"late"}`))
		if err != nil || answer.errorType() != "UserErased" {
			t.Errorf("got error %q, %v, want UserErased", answer.errorType(), err)
		}
		var sum struct{ Asked, Changed, Failed int }
		s.ask(t, "ReconcileFunction", json.RawMessage(`{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`), &sum)
		s.wantStripped(t, id)
		s.awaitTasks(t, e, 0)
		if next := s.create(t, user); next == id {
			t.Error("the erased session was handed out again")
		}
	})
	s.step(t, "a user who began anew is erased again, and one whom nothing is known of as well", func(t *testing.T) {
		s.erase(t, user, erased{1, 1, true})
		s.erase(t, user, erased{0, 0, true})
	})
}

// erase invokes the function, which must succeed.
func (s *system) erase(t *testing.T, user string, want erased) {
	t.Helper()
	var got erased
	if s.ask(t, "EraseUserFunction", map[string]string{"vendor_data": user}, &got); got != want {
		t.Error(mismatch("erased", got, want))
	}
}

func (s *system) wantStripped(t *testing.T, id string) {
	t.Helper()
	var got struct{ Item map[string]json.RawMessage }
	s.call(t, dynamodb, "GetItem", map[string]any{
		"TableName": s.table, "ConsistentRead": true, "Key": map[string]attribute{"pk": {S: id}, "sk": {S: "S"}}}, &got)
	if names := slices.Sorted(maps.Keys(got.Item)); !slices.Equal(names, []string{"erased", "pk", "sk", "ttl"}) {
		t.Fatal(mismatch("attributes of the row", names, "erased, pk, sk, ttl"))
	}
}

// awaitErasure waits for the event about the user.
func (s *system) awaitErasure(t *testing.T, user string) {
	t.Helper()
	found := false
	s.eventually(t, func(ctx context.Context) error {
		bodies, err := s.receive(ctx, s.queues["everything"], 0)
		for _, body := range bodies {
			var e struct {
				DetailType string `json:"detail-type"`
				Detail     struct {
					VendorData string `json:"vendor_data"`
				}
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				return err
			}
			found = found || e.DetailType == "Verification User Erased" && e.Detail.VendorData == user
		}
		if err == nil && !found {
			err = mismatch("event on the bus", "none", "one about the user")
		}
		return err
	})
}
