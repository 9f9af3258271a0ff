package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// tracker keeps what it is asked, and answers with a fixed outcome.
type tracker struct {
	err              error
	sessionID, token string
	event            verification.Event
	sum              verification.Reconciled
}

func (s *tracker) Await(_ context.Context, sessionID, token string) error {
	s.sessionID, s.token = sessionID, token
	return s.err
}

func (s *tracker) Track(_ context.Context, e verification.Event) error { s.event = e; return s.err }

func (s *tracker) Reconcile(context.Context) (verification.Reconciled, error) { return s.sum, s.err }

// serve invokes an operation, and returns its answer or its error's name and text.
func serve(t *testing.T, d *Operation, payload string) (answer, name, text string) {
	t.Helper()
	d.Log = slog.New(slog.DiscardHandler)
	out, err := d.Invoke(t.Context(), []byte(payload))
	if err == nil {
		return string(out), "", ""
	}
	typed, ok := errors.AsType[directError](err)
	if !ok {
		t.Fatalf("got error %v (%T), want one with a name", err, err)
	}
	return "", typed.ErrorType(), typed.Error()
}

func TestAwaitDecision(t *testing.T) {
	t.Parallel()
	s := new(tracker)
	answer, name, _ := serve(t, AwaitDecision(s), `{"session_id":"`+sessionID+`","task_token":"token<&>"}`)
	if answer != `{}` || name != "" || s.sessionID != sessionID || s.token != "token<&>" {
		t.Errorf("got %s %s, await of %q with %q", answer, name, s.sessionID, s.token)
	}
	for _, test := range []struct{ payload, says string }{
		{``, "empty"}, {`[]`, "must be a JSON object"}, {`{"session_id":7}`, "session_id must be a string."}, {`{"session_id":"x","task_token":{}}`, "task_token must be a string."},
		{`{"session_id":"x","task_token":"y","z":1}`, "z is not a field"},
		{`{"session_id":"session-1","task_tokn":"a"}`, "task_tokn is not a field of this request: did you mean task_token? session_id must be a UUID"},
		{`{"session_id":"session-1","task_tokn":"a"}`, "task_token is required: pass $$.Task.Token."}, {`{"session_id":7,"task_token":"y"}`, "The request is invalid: session_id must be a string."}, {`{"session_id":"x","session_id":"y"}`, "session_id"}, {strings.Repeat(" ", 5<<20), "at most 4 MiB"},
	} {
		if _, name, text := serve(t, AwaitDecision(s), test.payload); name != "InvalidRequest" || !strings.Contains(text, test.says) {
			t.Errorf("%.80q: got %s %q, want InvalidRequest that says %q", test.payload, name, text, test.says)
		}
	}
	for code, want := range map[verification.Code]string{verification.CodeNotFound: "SessionNotFound", verification.CodeBackendUnavailable: "BackendUnavailable", verification.CodeInternal: "InternalError"} {
		s.err = verification.NewError(code, "MARKER")
		if _, name, text := serve(t, AwaitDecision(s), `{"session_id":"`+sessionID+`","task_token":"t"}`); name != want || strings.Contains(text, "MARKER") {
			t.Errorf("%s: got %s %q, want %s", code, name, text, want)
		}
	}
}

// decisions are documents by session.
type decisions map[string]string

func (d decisions) ReadDecision(_ context.Context, id string) (json.RawMessage, error) {
	if d[id] == "" {
		return nil, verification.NewError(verification.CodeNotFound, "")
	}
	return json.RawMessage(d[id]), nil
}

func TestGetDecision(t *testing.T) {
	t.Parallel()
	const document = `{"b":1.50,"a":123456789012345678901234567890,"x":"<&>"}`
	d := GetDecision(decisions{sessionID: document})
	if answer, name, _ := serve(t, d, `{"session_id":"`+sessionID+`"}`); answer != document || name != "" {
		t.Errorf("got %s %s, want Didit's JSON byte for byte", answer, name)
	}
	if _, name, _ := serve(t, d, `{"session_id":"`+otherID+`"}`); name != "SessionNotFound" {
		t.Errorf("unknown: got %s, want SessionNotFound", name)
	}
	if _, name, _ := serve(t, d, `{"session_id":"x","task_token":"y"}`); name != "InvalidRequest" {
		t.Errorf("a field of another function: got %s, want InvalidRequest", name)
	}
	for _, test := range []struct {
		operation     *Operation
		payload, says string
	}{
		{d, `{"sessionId":"` + sessionID + `"}`, "did you mean session_id? session_id is required."},
		{EraseUser(nil), `{"vendor_dta":"x"}`, "did you mean vendor_data? vendor_data is required: set it to the end user's id."},
		{EraseUser(nil), `{"` + strings.Repeat("x", 3<<20) + `":1}`, "vendor_data is required"},
	} {
		if _, name, text := serve(t, test.operation, test.payload); name != "InvalidRequest" || !strings.Contains(text, test.says) {
			t.Errorf("%.40s: got %s %q, want InvalidRequest that says %q", test.payload, name, text, test.says)
		}
	}
}

func TestTrackStatus(t *testing.T) {
	t.Parallel()
	s := new(tracker)
	sent := verification.Event{ID: "e-1", Recorded: true, SessionID: sessionID, VendorData: "alice", Status: "Approved", OccurredAt: noon}
	text, err := verification.EncodeDetail(sent)
	if err != nil {
		t.Fatal(err)
	}
	payload := func(source, detailType, detail string) string {
		return `{"version":"0","id":"x","account":"123456789012","time":"2026-11-23T12:00:00Z","region":"eu-west-1","resources":[],"source":"` + source +
			`","detail-type":"` + detailType + `","detail":` + detail + `}`
	}
	answer, name, why := serve(t, TrackStatus(s), payload("didit.sessions", verification.DetailStatusUpdated, string(text)))
	if answer != `{}` || s.event.ID != "e-1" || s.event.SessionID != sessionID || !s.event.Recorded || s.event.DataUpdated || !s.event.OccurredAt.Equal(noon) {
		t.Errorf("got %s %s %s, event %+v", answer, name, why, s.event)
	}
	for _, wrong := range []string{`{}`, `null`, payload("aws.ec2", verification.DetailStatusUpdated, string(text)), payload("didit.sessions", verification.DetailStatusUpdated, `{"event_id":"e"}`)} {
		if _, name, _ := serve(t, TrackStatus(s), wrong); name != "InvalidRequest" {
			t.Errorf("%.120s: got %q, want InvalidRequest", wrong, name)
		}
	}
	s.err = verification.NewError(verification.CodeBackendUnavailable, "")
	if _, name, _ := serve(t, TrackStatus(s), payload("didit.sessions", verification.DetailStatusUpdated, string(text))); name != "BackendUnavailable" {
		t.Errorf("table down: got %q, want BackendUnavailable, so that Lambda tries again", name)
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	s := &tracker{sum: verification.Reconciled{Asked: 3, Changed: 2, Failed: 1, Due: 4}}
	for _, payload := range []string{`{}`, ``, `{"source":"aws.events","detail-type":"Scheduled Event"}`} {
		if answer, name, _ := serve(t, Reconcile(s), payload); answer != `{"asked":3,"changed":2,"failed":1}` {
			t.Errorf("%q: got %s %s", payload, answer, name)
		}
	}
	s.err = verification.NewError(verification.CodeCredentialsRejected, "")
	if _, name, _ := serve(t, Reconcile(s), `{}`); name != "CredentialsRejected" {
		t.Errorf("got %q, want CredentialsRejected", name)
	}
}

// Ensure that each operation writes one line, which names it and holds no token.
func TestOperation_log(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d := AwaitDecision(new(tracker))
	d.Log = slog.New(slog.NewJSONHandler(&out, nil))
	if _, err := d.Invoke(t.Context(), []byte(`{"session_id":"`+sessionID+`","task_token":"MARKER"}`)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"operation":"await_decision"`) || !strings.Contains(got, sessionID) || strings.Contains(got, "MARKER") {
		t.Errorf("got %s", got)
	}
}

// Ensure that the log holds no id that Didit made too long, and none that is no id.
func TestLoggedIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"e-1": "e-1", sessionID: sessionID, strings.Repeat("a", 64): strings.Repeat("a", 36), strings.Repeat("é", 64): strings.Repeat("é", 18),
		"a" + strings.Repeat("é", 64): "a" + strings.Repeat("é", 17),
	} {
		if got := eventAttributes(sessionID, id, "Approved")[1].Value.String(); got != want {
			t.Errorf("event %s: got %s in the log, want %s", id, got, want)
		}
	}
	o := createOutcome(verification.Created{Session: verification.Session{ID: "PLANTED", Status: "Not Started"}}, nil)
	if text := fmt.Sprint(o.attributes); strings.Contains(text, "PLANTED") || !strings.Contains(text, "Not Started") {
		t.Errorf("got %s in the log, want the status alone", text)
	}
}
