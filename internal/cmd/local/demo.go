package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"didit-sessions/internal/config"
)

// patience ends a story that hangs. It takes the place of the deployed functions' limits, which a
// busy machine would exceed.
const patience = 5 * time.Minute

// demoVariables are the variables of the story's system: more sessions would meet the throttle.
var demoVariables = map[string]string{config.SessionsPerDay: "3"}

// demo tells the story on a system of its own.
func demo(ctx context.Context, out io.Writer) error {
	getenv := func(name string) string { return demoVariables[name] }
	s, err := start(options{listen: "127.0.0.1", getenv: getenv, out: io.Discard, patience: patience})
	if err != nil {
		return err
	}
	return errors.Join(tell(ctx, s, out), s.stop())
}

// tell tells the story on a fresh system, one line a step, and fails at the first step that does
// not end as expected. The clock moves only where the story moves it.
func tell(ctx context.Context, s *system, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.clock.stop()
	t := &teller{ctx: ctx, system: s}
	for i, step := range t.steps() {
		line := step()
		if t.err != nil {
			return fmt.Errorf("step %d: %w", i+1, t.err)
		}
		fmt.Fprintf(out, "%2d. %s\n", i+1, line)
	}
	fmt.Fprintln(out, "done: every step ended as expected")
	return nil
}

// teller plays the apps, their users, the operator, and an attacker. Once err is set, its requests
// do nothing and return zero values.
type teller struct {
	ctx         context.Context
	system      *system
	err         error // what went wrong first
	session     reply // alice's first
	reviewed    reply // heidi's
	approved    reply // what GET returned for it once it was approved
	dave        execution
	daveSession reply
}

// steps are the story. Each step returns its line; later ones build on earlier ones.
func (t *teller) steps() []func() string {
	return []func() string{
		t.createFirst, t.createAgain, t.createForOther, t.createUnsigned, t.createInvalid,
		t.createDuringOutage, t.createAfterOutage, t.createAfterRotation,
		t.readNotStarted, t.readForeign, t.forgeWebhook, t.approve, t.checkEvent, t.readApproved, t.listSessions,
		t.deliverAgain, t.startWorkflow, t.releaseWorkflow, t.declineWorkflow,
		t.healByGet, t.healByReconcile, t.readDuringOutage,
		t.createNeedless, t.createInReview, t.createTooMany,
		t.receiveLate, t.withdraw, t.ignoreUnrecorded, t.forget,
	}
}

// check fails the step unless ok.
func (t *teller) check(ok bool, format string, args ...any) {
	if !ok && t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
}

// settle waits until all webhooks are delivered and all events are handled.
func (t *teller) settle() {
	err := t.system.simulator.Settle(t.ctx)
	t.check(err == nil, "webhooks are still under way: %w", err)
	err = t.system.bus.Wait(t.ctx)
	t.check(err == nil, "events are still under way: %w", err)
}

// reply is an answer of the API.
type reply struct {
	status     int
	retryAfter string
	text       string
	SessionID  string  `json:"session_id"`
	URL        string  `json:"url"`
	QR         string  `json:"qr"`
	Status     any     `json:"status"` // a session's word, or a problem's number
	Next       string  `json:"next"`
	Standing   string  `json:"session_status"` // of the session that makes another one needless
	Code       string  `json:"code"`
	Sessions   []reply `json:"sessions"`
	Errors     []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// send sends a request and returns the answer, without the members of its JSON.
func (t *teller) send(method, url string, header map[string]string, body string) (a reply) {
	if t.err != nil {
		return a
	}
	r, err := http.NewRequestWithContext(t.ctx, method, url, strings.NewReader(body))
	if t.check(err == nil, "%w", err); err != nil {
		return a
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if t.check(err == nil, "%w", err); err != nil {
		return a
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	t.check(err == nil, "%w", err)
	return reply{status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), text: string(text)}
}

// expect is send for an answer in JSON with this status and, for a problem, this code.
func (t *teller) expect(status int, code, method, url string, header map[string]string, body string) reply {
	a := t.send(method, url, header, body)
	err := json.Unmarshal([]byte(a.text), &a)
	t.check(err == nil, "%w", err)
	t.check(a.status == status && a.Code == code, "got %d %s, want %d %s", a.status, a.Code, status, code)
	return a
}

// ask is expect for a request to the API by a user; without a user, unsigned.
func (t *teller) ask(status int, code, user, method, path, body string) reply {
	header := map[string]string{"Content-Type": "application/json"}
	if user != "" {
		header["Authorization"] = "Bearer " + user
	}
	return t.expect(status, code, method, t.system.url+path, header, body)
}

// create is ask for POST /sessions.
func (t *teller) create(status int, code, user, body string) reply {
	return t.ask(status, code, user, http.MethodPost, "/sessions", body)
}

// get is ask for a session with this status and this next.
func (t *teller) get(user string, session reply, status, next string) reply {
	a := t.ask(http.StatusOK, "", user, http.MethodGet, "/sessions/"+session.SessionID, "")
	t.check(a.Status == status && a.Next == next, "got %v, next %s, want %s, next %s", a.Status, a.Next, status, next)
	return a
}

// decide sends the form of the page behind a session's URL.
func (t *teller) decide(session reply, status string) {
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	t.send(http.MethodPost, session.URL+"/decision", header, url.Values{"status": {status}}.Encode())
	got, _ := t.system.simulator.Session(session.SessionID)
	t.check(got.Status == status, "the session is %q at Didit, want %s", got.Status, status)
}
