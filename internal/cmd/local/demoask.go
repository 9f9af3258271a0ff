package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// reply is what the API answered.
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

// send makes a request and reads the answer.
func (t *teller) send(method, url string, header map[string]string, body string) (reply, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	a := reply{status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), text: string(text)}
	return a, json.Unmarshal(text, &a)
}

// ask sends a request as the user; without a user, unsigned.
func (t *teller) ask(user, method, path, body string) (reply, error) {
	header := map[string]string{"Content-Type": "application/json"}
	if user != "" {
		header["Authorization"] = "Bearer " + user
	}
	return t.send(method, t.system.url+path, header, body)
}

// create asks for a session, and fails unless the answer has the status and, for a problem, the code.
func (t *teller) create(status int, code, user, body string) (reply, error) {
	a, err := t.ask(user, http.MethodPost, "/sessions", body)
	return a, a.expect(err, status, code)
}

// get asks where a session stands, and fails unless Didit's word and what to do are these.
func (t *teller) get(user, sessionID, word, next string) (reply, error) {
	a, err := t.ask(user, http.MethodGet, "/sessions/"+sessionID, "")
	if err = a.expect(err, 200, ""); err == nil && (a.Status != word || a.Next != next) {
		err = fmt.Errorf("got %v, next %s, want %s, next %s", a.Status, a.Next, word, next)
	}
	return a, err
}

// expect passes on an error of the asking, or says what is wrong with the answer.
func (a reply) expect(err error, status int, code string) error {
	if err == nil && (a.status != status || a.Code != code) {
		err = fmt.Errorf("got %d %s, want %d %s", a.status, a.Code, status, code)
	}
	return err
}

// decide sends the form of the page behind a session's URL.
func (t *teller) decide(session reply, word string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	form := url.Values{"status": {word}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, session.URL+"/decision", strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if at, _ := t.system.simulator.Session(session.SessionID); at.Status != word {
		return fmt.Errorf("the session is %q at Didit, want %s", at.Status, word)
	}
	return nil
}
