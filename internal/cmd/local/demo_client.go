package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// reply is an answer of the API.
type reply struct {
	status     int
	retryAfter string
	text       string
	SessionID  string  `json:"session_id"`
	URL        string  `json:"url"`
	Status     any     `json:"status"` // a session's word, or a problem's number
	Next       string  `json:"next"`
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
