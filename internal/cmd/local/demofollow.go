package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

func (t *teller) notStarted() (string, error) {
	a, err := t.get("alice", t.session.SessionID, "Not Started", "verify")
	if err == nil && a.retryAfter == "" {
		err = errors.New("got no Retry-After")
	}
	return "alice's app asks how far she is: 200 Not Started, next verify, Retry-After " + a.retryAfter, err
}

func (t *teller) notHers() (string, error) {
	hers, err := t.ask("bob", http.MethodGet, "/sessions/"+t.session.SessionID, "")
	if err = hers.expect(err, 404, "not_found"); err != nil {
		return "", err
	}
	nobodys, err := t.ask("bob", http.MethodGet, "/sessions/11111111-1111-4111-8111-111111111111", "")
	if err = nobodys.expect(err, 404, "not_found"); err == nil && withoutRequestID(hers.text) != withoutRequestID(nobodys.text) {
		err = errors.New("the two answers differ")
	}
	return "bob asks about alice's session: 404 not_found, as if there were none", err
}

// withoutRequestID is a problem without the one thing that differs between any two.
func withoutRequestID(problem string) string {
	before, rest, _ := strings.Cut(problem, `"request_id":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

func (t *teller) forged() (string, error) {
	body := fmt.Sprintf(`{"session_id":%q,"status":"Approved","webhook_type":"status.updated","timestamp":%d}`,
		t.session.SessionID, t.system.clock.now().Unix())
	hook := t.system.url + "/webhooks/didit"
	unsigned, err := t.send(http.MethodPost, hook, nil, body)
	if err = unsigned.expect(err, 401, "unauthenticated"); err != nil {
		return "", err
	}
	signature, _, err := didit.SignWebhook([]byte(body), "a guess")
	if err != nil {
		return "", err
	}
	guessed, err := t.send(http.MethodPost, hook, map[string]string{"X-Signature": signature}, body)
	if err = guessed.expect(err, 404, "signature_mismatch"); err != nil {
		return "", err
	}
	_, err = t.get("alice", t.session.SessionID, "Not Started", "verify")
	return "somebody forges a webhook that approves her: unsigned 401, signed with a guess 404; she is still Not Started", err
}

func (t *teller) approved() (string, error) {
	if err := errors.Join(t.decide(t.session, "Approved"), t.settle()); err != nil {
		return "", err
	}
	d, err := t.delivery("Approved")
	if err == nil && d.Status != http.StatusOK {
		err = fmt.Errorf("the webhook was answered with %d %s", d.Status, d.Problem)
	}
	return "alice verifies herself on the page behind the URL: Didit's signed webhook arrives, 200", err
}

// delivery returns the last attempt to tell of alice's status.
func (t *teller) delivery(word string) (didittest.Delivery, error) {
	for _, d := range slices.Backward(t.system.simulator.Deliveries()) {
		if d.SessionID == t.session.SessionID && d.SessionStatus == word {
			return d, nil
		}
	}
	return didittest.Delivery{}, errors.New("no webhook was sent")
}

// events returns those on the bus with a session's status.
func (t *teller) events(sessionID, word string) []verification.Event {
	return slices.DeleteFunc(t.system.bus.Published(), func(e verification.Event) bool {
		return e.SessionID != sessionID || e.Status != word
	})
}

func (t *teller) published() (string, error) {
	events := t.events(t.session.SessionID, "Approved")
	if len(events) != 1 || events[0].DetailType() != verification.DetailStatusUpdated {
		return "", fmt.Errorf("got %d events, want one of status", len(events))
	}
	detail, err := verification.EncodeDetail(events[0])
	// The simulator's decisions are about one Carmen.
	if err == nil && strings.Contains(string(detail), "Carmen") {
		err = errors.New("the event holds personal data")
	}
	var checks []string
	for _, check := range events[0].Checks {
		checks = append(checks, check.Feature)
	}
	return fmt.Sprintf("the bus tells everybody: %q, Approved, with the checks %s and no document data",
		events[0].DetailType(), strings.Join(checks, ", ")), err
}

func (t *teller) verified() (string, error) {
	a, err := t.get("alice", t.session.SessionID, "Approved", "verified")
	if err == nil && a.retryAfter != "" {
		err = errors.New("got a Retry-After for a finished session")
	}
	t.asked = a
	return "alice's app asks again: 200 Approved, next verified", err
}

func (t *teller) listed() (string, error) {
	a, err := t.ask("alice", http.MethodGet, "/sessions", "")
	if err = a.expect(err, 200, ""); err == nil && (len(a.Sessions) != 1 || a.Sessions[0].Next != "verified") {
		err = fmt.Errorf("got %d sessions, want the verified one", len(a.Sessions))
	}
	return "her app was reinstalled and asks for her sessions: 200, the verified one", err
}

func (t *teller) deliveredAgain() (string, error) {
	d, err := t.delivery("Approved")
	if err != nil {
		return "", err
	}
	t.system.clock.forward(time.Second)
	again, err := t.system.simulator.Resend(d.EventID)
	if err = errors.Join(err, t.settle()); err != nil {
		return "", err
	}
	a, err := t.get("alice", t.session.SessionID, "Approved", "verified")
	events := t.events(t.session.SessionID, "Approved")
	switch {
	case err != nil:
	case again.Status != http.StatusOK:
		err = fmt.Errorf("the webhook was answered with %d %s", again.Status, again.Problem)
	case a.text != t.asked.text:
		err = errors.New("the session is told otherwise than before")
	case len(events) != 2 || events[0].ID != events[1].ID:
		err = errors.New("the events differ in their id")
	}
	return "Didit delivers the same webhook again: 200, the same event_id, nothing changes", err
}
