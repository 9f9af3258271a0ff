//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

const (
	statusUpdated = "Verification Session Status Updated"
	dataUpdated   = "Verification Session Data Updated"
	unrecorded    = "Unrecorded Verification Session Updated"
)

// testWebhook takes the steps from Didit's webhook through the bus into the table.
func (s *system) testWebhook(t *testing.T) {
	id := s.create(t, "user-of-webhooks")
	s.step(t, "createsession records a session", func(t *testing.T) {
		// Didit's first webhook may arrive before the record, and then belongs to no session.
		if got, err := s.status(s.ctx, id); err != nil || got != "Not Started" {
			t.Fatal(errors.Join(err, mismatch("status in the table", got, "Not Started")))
		}
		s.settle(t)
	})
	for _, step := range []struct {
		name, status string
		quirk        didittest.Quirk
		wantAnswer   int
		wantStatus   string
	}{
		{"a signed webhook is 200, published, matched by the rule and recorded", "In Review", "", http.StatusOK, "In Review"},
		{"a forged one is 404, and changes nothing", "Approved", didittest.SendForged, http.StatusNotFound, "In Review"},
		{"one signed an hour ago is 401, and changes nothing", "Declined", didittest.SendStale, http.StatusUnauthorized, "In Review"},
		{"one that was encoded again on the way is 200 and recorded", "Approved", didittest.SendReworded, http.StatusOK, "Approved"},
	} {
		s.step(t, step.name, func(t *testing.T) { s.change(t, id, step.status, step.quirk, step.wantAnswer, step.wantStatus) })
	}
	s.step(t, "edited data and other apps' sessions are published, and not matched by the rule", func(t *testing.T) { s.testUnmatched(t, id) })
}

// create creates a session directly.
func (s *system) create(t *testing.T, user string) (sessionID string) {
	t.Helper()
	var session struct {
		SessionID string `json:"session_id"`
	}
	s.ask(t, "CreateSessionFunction", map[string]any{"vendor_data": user}, &session)
	return session.SessionID
}

func (s *system) setStatus(t *testing.T, id, status string) {
	t.Helper()
	if err := s.didit.SetStatus(id, status); err != nil {
		t.Fatal(err)
	}
}

// settle waits until every webhook is delivered.
func (s *system) settle(t *testing.T) {
	t.Helper()
	if err := s.didit.Settle(s.ctx); err != nil {
		t.Fatal(err)
	}
}

// change has Didit set a status, and waits for the effects of its webhook.
func (s *system) change(t *testing.T, id, status string, quirk didittest.Quirk, wantAnswer int, wantStatus string) {
	t.Helper()
	if quirk != "" {
		s.didit.Misdeliver(quirk, 1)
	}
	s.setStatus(t, id, status)
	s.settle(t)
	var d didittest.Delivery // the session's latest
	for _, delivery := range s.didit.Deliveries() {
		if delivery.SessionID == id {
			d = delivery
		}
	}
	if d.Status != wantAnswer || d.SessionStatus != status {
		t.Fatal(mismatch("answer to the webhook", fmt.Sprint(d.SessionStatus, " ", d.Status, " ", d.Problem), fmt.Sprint(status, " ", wantAnswer)))
	}
	s.awaitStatus(t, id, wantStatus)
	events, err := s.pump.matched(id)
	if last := events[len(events)-1]; last.DetailType != statusUpdated || last.Detail.Status != wantStatus {
		t.Fatal(mismatch("last event that the rule matched", last, wantStatus))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// awaitStatus waits until the table has the status, and the pump has handed over an event of it.
func (s *system) awaitStatus(t *testing.T, id, want string) {
	t.Helper()
	s.eventually(t, func(ctx context.Context) error {
		got, err := s.status(ctx, id)
		if err == nil && got != want {
			err = mismatch("status in the table", got, want)
		}
		if err != nil {
			return err
		}
		events, err := s.pump.matched(id)
		if !slices.ContainsFunc(events, func(e event) bool { return e.Detail.Status == want }) {
			return mismatch("events of the session", events, want)
		}
		return err
	})
}

// attribute is a value of DynamoDB.
type attribute struct {
	S string `json:",omitempty"`
	N string `json:",omitempty"`
}

// status is the status of a session in the table, or "".
func (s *system) status(ctx context.Context, id string) (string, error) {
	status, err := s.attribute(ctx, id, "status")
	return status.S, err
}

// attribute reads an attribute of a session's row; without a row, the zero value.
func (s *system) attribute(ctx context.Context, id, name string) (attribute, error) {
	var got struct {
		Item map[string]json.RawMessage
	}
	err := s.aws.call(ctx, dynamodb, "GetItem", map[string]any{
		"TableName": s.table, "ConsistentRead": true, "Key": map[string]attribute{"pk": {S: id}, "sk": {S: "S"}}}, &got)
	if err != nil || got.Item == nil {
		return attribute{}, err
	}
	var value attribute
	err = json.Unmarshal(got.Item[name], &value)
	return value, err
}

// testUnmatched looks at events that are on the bus for other subscribers.
func (s *system) testUnmatched(t *testing.T, id string) {
	foreign := s.createAtDidit(t)
	if err := s.didit.EditData(id); err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	want := map[string]string{id: dataUpdated, foreign: unrecorded}
	s.eventually(t, func(ctx context.Context) error {
		bodies, err := s.receive(ctx, s.queues["everything"], 0)
		for _, body := range bodies {
			var e event
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				return err
			}
			if want[e.Detail.SessionID] == e.DetailType {
				delete(want, e.Detail.SessionID)
			}
		}
		if err == nil && len(want) > 0 {
			err = mismatch("event on the bus", "none", want)
		}
		return err
	})
	// Events that the rule matched are handed over in order: none of before can come after this
	// one.
	s.change(t, id, "Declined", "", http.StatusOK, "Declined")
	if events, _ := s.pump.matched(foreign); len(events) > 0 {
		t.Error(mismatch("events of another app's session that the rule matched", events, "none"))
	}
	events, _ := s.pump.matched(id)
	var got []string
	for _, e := range events {
		if e.Detail.Status != "Not Started" {
			got = append(got, e.Detail.Status)
		}
	}
	// The two that were refused are not among them.
	if all := []string{"In Review", "Approved", "Declined"}; !slices.Equal(got, all) {
		t.Error(mismatch("statuses of the session that the rule matched", got, all))
	}
}

// createAtDidit creates a session without this backend, as another app of the same account.
func (s *system) createAtDidit(t *testing.T) (sessionID string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v3/session/", strings.NewReader(`{"workflow_id":"`+workflow+`","vendor_data":"user-of-another-app"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	w := httptest.NewRecorder()
	s.didit.ServeHTTP(w, r)
	var session struct {
		SessionID string `json:"session_id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &session); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("the simulator answers %d, %v", w.Code, err)
	}
	return session.SessionID
}
