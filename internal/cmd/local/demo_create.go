package main

import (
	"net/http"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

func (t *teller) createFirst() string {
	t.session = t.create(201, "", "alice", `{"metadata":{"plan":"premium"}}`)
	return "alice creates a session: 201, session " + t.session.SessionID + ", with its URL"
}

func (t *teller) createAgain() string {
	t.createSame()
	return "alice creates one again before she has finished: 201, the same session"
}

// createSame creates a session for alice, which must be her first one.
func (t *teller) createSame() {
	a := t.create(201, "", "alice", `{}`)
	t.check(a.SessionID == t.session.SessionID, "got session %s, want %s", a.SessionID, t.session.SessionID)
}

func (t *teller) createForOther() string {
	t.create(403, "vendor_data_mismatch", "bob", `{"vendor_data":"alice"}`)
	return "bob tries to create a session for alice: 403 vendor_data_mismatch"
}

func (t *teller) createUnsigned() string {
	t.create(401, "", "", `{}`)
	return "a request comes without a token: 401, from the gateway itself"
}

func (t *teller) createInvalid() string {
	a := t.create(400, "invalid_request", "alice",
		`{"contact_details":{"phone":"4155552671"},"expected_details":{"country":"ES"}}`)
	t.check(len(a.Errors) == 2, "got %d field errors, want 2", len(a.Errors))
	line := "two fields are wrong: 400 invalid_request"
	for _, e := range a.Errors {
		line += "; " + e.Field + ": " + strings.TrimSuffix(e.Message, ".")
	}
	return line
}

func (t *teller) createDuringOutage() string {
	t.system.simulator.Inject(didittest.Fault{On: didittest.OpAny, Status: http.StatusServiceUnavailable})
	a := t.create(503, "didit_unavailable", "alice", `{}`)
	return "Didit is down: 503 didit_unavailable, Retry-After " + a.retryAfter
}

func (t *teller) createAfterOutage() string {
	t.system.simulator.ClearFaults()
	t.createSame()
	return "Didit is back: 201, still the same session, nothing was paid twice"
}

func (t *teller) createAfterRotation() string {
	t.system.simulator.SetCredentials("new-client-id", "new-client-secret", "")
	t.system.credentials.set(map[string]string{"client_id": "new-client-id", "client_secret": "new-client-secret"})
	t.create(201, "", "carol", `{}`)
	return "the operator rotates the credentials: carol gets 201; the refused token was replaced within her call"
}

func (t *teller) createNext() string {
	a := t.create(201, "", "alice", `{}`)
	t.check(a.SessionID != t.session.SessionID, "got the finished session again")
	return "alice creates a session once more: 201, a new one, because the old one is finished"
}
