package main

import (
	"errors"
	"fmt"
	"net/http"

	"didit-sessions/internal/didit/didittest"
)

func (t *teller) created() (string, error) {
	var err error
	t.session, err = t.create(201, "", "alice", `{"metadata":{"plan":"premium"}}`)
	return "alice asks for a session: 201, session " + t.session.SessionID + ", with its URL", err
}

func (t *teller) askedAgain() (string, error) {
	a, err := t.create(201, "", "alice", `{}`)
	return "alice asks again before she has finished: 201, the same session", t.same(a, err)
}

// same fails unless the answer is about alice's first session.
func (t *teller) same(a reply, err error) error {
	if err == nil && a.SessionID != t.session.SessionID {
		err = fmt.Errorf("got session %s, want %s", a.SessionID, t.session.SessionID)
	}
	return err
}

func (t *teller) otherUser() (string, error) {
	_, err := t.create(403, "vendor_data_mismatch", "bob", `{"vendor_data":"alice"}`)
	return "bob asks for alice's session: 403 vendor_data_mismatch", err
}

func (t *teller) notSignedIn() (string, error) {
	_, err := t.create(401, "", "", `{}`)
	return "nobody is signed in: 401, from the gateway itself", err
}

func (t *teller) invalid() (string, error) {
	a, err := t.create(400, "invalid_request", "alice",
		`{"contact_details":{"phone":"4155552671"},"expected_details":{"country":"ES"}}`)
	said := ""
	for _, e := range a.Errors {
		said += "; " + e.Field + ": " + e.Message
	}
	if err == nil && len(a.Errors) != 2 {
		err = fmt.Errorf("got %d field errors, want 2", len(a.Errors))
	}
	return "two fields are wrong: 400 invalid_request" + said, err
}

func (t *teller) diditDown() (string, error) {
	t.system.simulator.Inject(didittest.Fault{On: didittest.OpAny, Status: http.StatusServiceUnavailable})
	a, err := t.create(503, "didit_unavailable", "alice", `{}`)
	return "Didit is down: 503 didit_unavailable, Retry-After " + a.retryAfter, err
}

func (t *teller) diditBack() (string, error) {
	t.system.simulator.ClearFaults()
	a, err := t.create(201, "", "alice", `{}`)
	return "Didit is back: 201, still the same session, nothing was paid twice", t.same(a, err)
}

func (t *teller) rotated() (string, error) {
	t.system.simulator.SetCredentials("new-client-id", "new-client-secret", "")
	t.system.credentials.set(map[string]string{"client_id": "new-client-id", "client_secret": "new-client-secret"})
	_, err := t.create(201, "", "carol", `{}`)
	return "the credentials are rotated: carol gets 201; the refused token was repaired within her call", err
}

func (t *teller) newSession() (string, error) {
	a, err := t.create(201, "", "alice", `{}`)
	if err == nil && a.SessionID == t.session.SessionID {
		err = errors.New("got the finished session again")
	}
	return "alice asks once more: 201, a new session, because the old one is finished", err
}
