package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

const (
	statusUpdated = "Verification Session Status Updated"
	dataUpdated   = "Verification Session Data Updated"
	unrecorded    = "Unrecorded Verification Session Updated"
)

// testWebhook takes the steps from Didit's webhook through the bus into the table.
func (s *system) testWebhook(ctx context.Context) {
	id, err := s.create(ctx, "user-of-webhooks")
	s.report.step(ctx, "createsession records a session", func(ctx context.Context) error {
		if err != nil {
			return err
		}
		// Didit's first webhook may have been ahead of the record, and then is nobody's.
		if got, err := s.recorded(ctx, id); err != nil || got != "Not Started" {
			return errors.Join(err, mismatch("status in the table", got, "Not Started"))
		}
		return s.didit.Settle(ctx)
	})
	s.report.step(ctx, "a signed webhook is 200, published, matched by the rule and recorded", func(ctx context.Context) error {
		return s.change(ctx, id, "In Review", "", http.StatusOK, "In Review")
	})
	s.report.step(ctx, "a forged one is 404, and changes nothing", func(ctx context.Context) error {
		return s.change(ctx, id, "Approved", didittest.SendForged, http.StatusNotFound, "In Review")
	})
	s.report.step(ctx, "one signed an hour ago is 401, and changes nothing", func(ctx context.Context) error {
		return s.change(ctx, id, "Declined", didittest.SendStale, http.StatusUnauthorized, "In Review")
	})
	s.report.step(ctx, "one that was written anew on the way is 200 and recorded", func(ctx context.Context) error {
		return s.change(ctx, id, "Approved", didittest.SendReworded, http.StatusOK, "Approved")
	})
	s.report.step(ctx, "edited data and foreign sessions are published, and the rule leaves them alone", func(ctx context.Context) error {
		return s.testUnmatched(ctx, id)
	})
}

// create asks the direct door for a session.
func (s *system) create(ctx context.Context, user string) (sessionID string, err error) {
	var session struct {
		SessionID string `json:"session_id"`
	}
	err = s.aws.ask(ctx, "CreateSessionFunction", map[string]any{"vendor_data": user}, &session)
	return session.SessionID, err
}

// change lets Didit set a status, and waits for what its webhook leads to.
func (s *system) change(ctx context.Context, id, status string, quirk didittest.Quirk, wantAnswer int, wantStatus string) error {
	if quirk != "" {
		s.didit.Misdeliver(quirk, 1)
	}
	if err := s.didit.SetStatus(id, status); err != nil {
		return err
	}
	if err := s.didit.Settle(ctx); err != nil {
		return err
	}
	var d didittest.Delivery // the session's latest
	for _, delivery := range s.didit.Deliveries() {
		if delivery.SessionID == id {
			d = delivery
		}
	}
	if d.Status != wantAnswer || d.SessionStatus != status {
		return mismatch("answer to the webhook", fmt.Sprint(d.SessionStatus, " ", d.Status, " ", d.Problem), fmt.Sprint(status, " ", wantAnswer))
	}
	if err := s.awaitStatus(ctx, id, wantStatus); err != nil {
		return err
	}
	events, failed := s.tracker.tracked(id)
	if last := events[len(events)-1]; last.DetailType != statusUpdated || last.Detail.Status != wantStatus {
		return mismatch("last event that the rule matched", last, wantStatus)
	}
	if len(failed) > 0 {
		return mismatch("failures of trackstatus", failed, "none")
	}
	return nil
}

// awaitStatus waits until the table has the status, and the pump has handed over an event of it.
func (s *system) awaitStatus(ctx context.Context, id, want string) error {
	return poll(ctx, soon, func(ctx context.Context) error {
		got, err := s.recorded(ctx, id)
		if err == nil && got != want {
			err = mismatch("status in the table", got, want)
		}
		if err != nil {
			return err
		}
		events, failed := s.tracker.tracked(id)
		if !slices.ContainsFunc(events, func(e event) bool { return e.Detail.Status == want }) {
			return mismatch("events of the session", events, want)
		}
		if len(failed) > 0 {
			return mismatch("failures of trackstatus", failed, "none")
		}
		return nil
	})
}

// attribute is a value of DynamoDB.
type attribute struct {
	S string `json:",omitempty"`
	N string `json:",omitempty"`
}

// recorded is the status of a session in the table, or "".
func (s *system) recorded(ctx context.Context, id string) (string, error) {
	status, err := s.attribute(ctx, id, "status")
	return status.S, err
}

// attribute is one of a session's row in the table; without a row, the zero value.
func (s *system) attribute(ctx context.Context, id, name string) (attribute, error) {
	var got struct {
		Item map[string]json.RawMessage
	}
	table, _, err := s.template.only("AWS::DynamoDB::Table")
	if err == nil {
		err = s.aws.call(ctx, dynamodb, "GetItem", map[string]any{
			"TableName": table, "ConsistentRead": true, "Key": map[string]attribute{"pk": {S: id}, "sk": {S: "S"}}}, &got)
	}
	if err != nil || got.Item == nil {
		return attribute{}, err
	}
	var value attribute
	err = json.Unmarshal(got.Item[name], &value)
	return value, err
}

// testUnmatched looks at events which are on the bus for others.
func (s *system) testUnmatched(ctx context.Context, id string) error {
	foreign, err := s.createAtDidit()
	if err != nil {
		return err
	}
	if err := s.didit.EditData(id); err != nil {
		return err
	}
	if err := s.didit.Settle(ctx); err != nil {
		return err
	}
	want := map[string]string{id: dataUpdated, foreign: unrecorded}
	err = poll(ctx, soon, func(ctx context.Context) error {
		bodies, err := s.receive(ctx, s.queues["spy"], 0)
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
	if err != nil {
		return err
	}
	// What the rule matched is handed over in order: once a later event is through, none comes after it.
	if err := s.change(ctx, id, "Declined", "", http.StatusOK, "Declined"); err != nil {
		return err
	}
	if events, _ := s.tracker.tracked(foreign); len(events) > 0 {
		return mismatch("events of a foreign session that the rule matched", events, "none")
	}
	events, _ := s.tracker.tracked(id)
	var got []string
	for _, e := range events {
		if e.Detail.Status != "Not Started" {
			got = append(got, e.Detail.Status)
		}
	}
	// The two that were refused are not among them.
	if all := []string{"In Review", "Approved", "Declined"}; !slices.Equal(got, all) {
		return mismatch("statuses of the session that the rule matched", got, all)
	}
	return nil
}

// createAtDidit makes a session without this backend.
func (s *system) createAtDidit() (sessionID string, err error) {
	r := httptest.NewRequest(http.MethodPost, "/v3/session/", strings.NewReader(`{"workflow_id":"`+workflow+`","vendor_data":"user-of-nobody"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	w := httptest.NewRecorder()
	s.didit.ServeHTTP(w, r)
	var session struct {
		SessionID string `json:"session_id"`
	}
	if w.Code != http.StatusCreated {
		return "", mismatch("status of the simulator", w.Code, http.StatusCreated)
	}
	err = json.Unmarshal(w.Body.Bytes(), &session)
	return session.SessionID, err
}
