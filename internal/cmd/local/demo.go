package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// demo tells the story on a system of its own, one line a step, and fails at the first step that
// does not end as told.
func demo(ctx context.Context, out io.Writer) error {
	s, err := start(options{listen: "127.0.0.1", getenv: func(string) string { return "" }, out: io.Discard})
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	t := &teller{ctx: ctx, out: out, system: s}
	steps := []func() (string, error){
		t.created, t.askedAgain, t.otherUser, t.notSignedIn, t.invalid,
		t.diditDown, t.diditBack, t.rotated, t.approved, t.newSession,
	}
	for i, step := range steps {
		line, err := step()
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		fmt.Fprintf(out, "%2d. %s\n", i+1, line)
	}
	fmt.Fprintln(out, "done: every step ended as told")
	return nil
}

// teller plays an app and the people around it.
type teller struct {
	ctx     context.Context
	out     io.Writer
	system  *system
	session reply // alice's first
}

// reply is what the API answered.
type reply struct {
	status     int
	retryAfter string
	SessionID  string `json:"session_id"`
	URL        string `json:"url"`
	Code       string `json:"code"`
	Message    string `json:"message"`
	Errors     []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// ask posts a body as the user; without a user, unsigned.
func (t *teller) ask(user, body string) (reply, error) {
	ctx, cancel := context.WithTimeout(t.ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.system.url+"/sessions", strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := reply{status: response.StatusCode, retryAfter: response.Header.Get("Retry-After")}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	return a, json.NewDecoder(bytes.NewReader(text)).Decode(&a)
}

// expect asks, and fails unless the answer has the status and, for a problem, the code.
func (t *teller) expect(status int, code, user, body string) (reply, error) {
	a, err := t.ask(user, body)
	if err == nil && (a.status != status || a.Code != code) {
		err = fmt.Errorf("got %d %s, want %d %s", a.status, a.Code, status, code)
	}
	return a, err
}

func (t *teller) created() (string, error) {
	var err error
	t.session, err = t.expect(201, "", "alice", `{"metadata":{"plan":"premium"}}`)
	return "alice asks for a session: 201, session " + t.session.SessionID + ", with its URL", err
}

func (t *teller) askedAgain() (string, error) {
	a, err := t.expect(201, "", "alice", `{}`)
	if err == nil && a.SessionID != t.session.SessionID {
		err = fmt.Errorf("got session %s, want %s", a.SessionID, t.session.SessionID)
	}
	return "alice asks again before she has finished: 201, the same session", err
}

func (t *teller) otherUser() (string, error) {
	_, err := t.expect(403, "vendor_data_mismatch", "bob", `{"vendor_data":"alice"}`)
	return "bob asks for alice's session: 403 vendor_data_mismatch", err
}

func (t *teller) notSignedIn() (string, error) {
	_, err := t.expect(401, "", "", `{}`)
	return "nobody is signed in: 401, from the gateway itself", err
}

func (t *teller) invalid() (string, error) {
	a, err := t.expect(400, "invalid_request", "alice",
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
	a, err := t.expect(503, "didit_unavailable", "alice", `{}`)
	return "Didit is down: 503 didit_unavailable, Retry-After " + a.retryAfter, err
}

func (t *teller) diditBack() (string, error) {
	t.system.simulator.ClearFaults()
	a, err := t.expect(201, "", "alice", `{}`)
	if err == nil && a.SessionID != t.session.SessionID {
		err = fmt.Errorf("got session %s, want %s", a.SessionID, t.session.SessionID)
	}
	return "Didit is back: 201, still the same session, nothing was paid twice", err
}

func (t *teller) rotated() (string, error) {
	t.system.simulator.SetCredentials("new-client-id", "new-client-secret", "")
	t.system.secret.set("new-client-id", "new-client-secret")
	_, err := t.expect(201, "", "carol", `{}`)
	return "the credentials are rotated: carol gets 201; the refused token was repaired within her call", err
}

func (t *teller) approved() (string, error) {
	form := url.Values{"status": {"Approved"}}
	r, err := http.NewRequestWithContext(t.ctx, http.MethodPost, t.session.URL+"/decision", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	_ = response.Body.Close()
	session, _ := t.system.simulator.Session(t.session.SessionID)
	if session.Status != "Approved" {
		err = fmt.Errorf("the session is %q, want Approved", session.Status)
	}
	return "alice verifies herself on the page behind the URL: the session is Approved", err
}

func (t *teller) newSession() (string, error) {
	a, err := t.expect(201, "", "alice", `{}`)
	if err == nil && a.SessionID == t.session.SessionID {
		err = fmt.Errorf("got the finished session again")
	}
	return "alice asks once more: 201, a new session, because the old one is finished", err
}
