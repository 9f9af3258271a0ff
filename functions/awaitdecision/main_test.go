package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m, "awaitdecision") }

// payload is the recorded one, for another session and token.
func payload(t *testing.T, id, token string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "direct-wait"), func(e map[string]any) { e["session_id"], e["task_token"] = id, token })
}

// await opens a task and registers its token, which must succeed.
func await(t *testing.T, w *stagetest.World, id, token string) {
	t.Helper()
	w.Tasks.Open(token)
	if r := w.Call(t, payload(t, id, token)); r.Failed() || string(r.Payload) != "{}" {
		t.Errorf("got %s, want {}\n%s", r.Payload, w.Logs())
	}
}

// wantEnd checks how the task ended: "waits", an error's name, or the status of its output.
func wantEnd(t *testing.T, w *stagetest.World, id, token, want string) {
	t.Helper()
	got := "waits"
	if outcome, ended := w.Tasks.Outcome(token); ended && outcome.Failed {
		got = outcome.Error
	} else if ended {
		var output struct{ Status string }
		if err := json.Unmarshal([]byte(outcome.Output), &output); err != nil {
			t.Fatal(err)
		}
		got = output.Status
	}
	if got != want {
		t.Errorf("the task: got %q, want %q\n%s", got, want, w.Logs())
	}
	if slices.Contains(w.Tokens(t, id), token) != (want == "waits") {
		t.Errorf("a task of which we want %q: its token is stored: %v", want, want != "waits")
	}
}

// at creates a session with a status at Didit and another one in its record; empty means no record.
func at(t *testing.T, w *stagetest.World, onRecord, atDidit string) string {
	t.Helper()
	id := w.Session(t, "user-123")
	w.SetStatus(t, id, atDidit)
	if onRecord != "" {
		w.Add(t, stagetest.Record(id, "user-123", onRecord, time.Hour))
	}
	return id
}

// Ensure that the recorded payloads do what their names promise: the simulator does not know their
// session.
func TestEvents(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		errorType string
		fields    []string
	}{
		"direct-wait":    {"SessionNotFound", nil},
		"direct-refused": {"InvalidRequest", []string{"token"}},
	} {
		w := stagetest.New(t, lambdatest.Options{})
		r := w.Call(t, stagetest.Event(t, name))
		if r.ErrorType != want.errorType {
			t.Errorf("%s: got %q %s, want %s", name, r.ErrorType, r.ErrorMessage, want.errorType)
		}
		for _, field := range want.fields {
			if !strings.Contains(r.ErrorMessage, field) {
				t.Errorf("%s: got %s, want %s named", name, r.ErrorMessage, field)
			}
		}
	}
}

// Ensure that a task of a finished session ends at once, that others wait, and that a status from
// Didit is published and recorded.
func TestAwait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		onRecord, atDidit string
		end, row          string
		asked, events     int
	}{
		{"Not Started", "Not Started", "waits", "Not Started", 1, 0},
		{"Not Started", "In Review", "waits", "In Review", 1, 1},
		{"In Progress", "Approved", "Approved", "Approved", 1, 1},
		{"In Progress", "Declined", "Declined", "Declined", 1, 1},
		{"In Progress", "Kyc Expired", "Kyc Expired", "Kyc Expired", 1, 1},
		{"In Progress", "Expired", "SessionExpired", "Expired", 1, 1},
		{"In Progress", "Abandoned", "SessionAbandoned", "Abandoned", 1, 1},
		{"Approved", "Approved", "Approved", "Approved", 0, 0},
		{"Declined", "Approved", "Declined", "Declined", 0, 0},
		{"Expired", "Approved", "SessionExpired", "Expired", 0, 0},
		{"", "In Progress", "waits", "In Progress", 1, 1},
		{"", "Approved", "Approved", "Approved", 1, 1},
		{"", "Not Started", "waits", "Not Started", 1, 0},
	} {
		t.Run(fmt.Sprintf("%q, %q", test.onRecord, test.atDidit), func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			id := at(t, w, test.onRecord, test.atDidit)
			await(t, w, strings.ToUpper(id), "token")
			wantEnd(t, w, id, "token", test.end)
			r, _ := w.Row(t, id)
			if r.Status != test.row || r.Awaited != (test.end == "waits") || r.VendorData != "user-123" || r.WorkflowID != stage.Workflow || r.DueFrom.IsZero() != (test.end != "waits") {
				t.Errorf("got a row of %q, workflow %q, at %s, awaited %v, due %v", r.VendorData, r.WorkflowID, r.Status, r.Awaited, r.DueFrom)
			}
			types, details := w.Published(t)
			if len(types) != test.events || test.events == 1 && (types[0] != "Verification Session Status Updated" || details[0].Status != test.row || details[0].SessionID != id) {
				t.Errorf("got events %q %+v, want %d of %s", types, details, test.events, test.row)
			}
			if got := w.Didit.Count(didittest.OpDecision); got != test.asked {
				t.Errorf("Didit was asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// Ensure that one session may have several tasks, each of which ends, and that a token that is
// registered twice is one.
func TestSeveral(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	id := at(t, w, "In Progress", "In Progress")
	for _, token := range []string{"one", "two", "one", strings.Repeat("3", 2048)} {
		await(t, w, id, token)
	}
	if got := w.Tokens(t, id); len(got) != 3 {
		t.Errorf("%d tokens are stored, want 3", len(got))
	}
	w.SetStatus(t, id, "Approved")
	w.AgeRead(t, id)
	await(t, w, id, "four")
	for _, token := range []string{"one", "two", strings.Repeat("3", 2048), "four"} {
		wantEnd(t, w, id, token, "Approved")
	}
	if w.Tasks.Calls("") != 4 {
		t.Errorf("got %d requests to end tasks, want 4", w.Tasks.Calls(""))
	}
}

// Ensure that the error for a session that Didit does not have is named, that the token is deleted,
// and that no record is left behind; and that a task waits on a session that was on record.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const unknown = "99999999-2222-3333-4444-777777777777"
	for _, recorded := range []bool{false, true} {
		w := stagetest.New(t, lambdatest.Options{})
		errorType, tokens := "SessionNotFound", 0
		if recorded {
			w.Add(t, stagetest.Record(unknown, "user-123", "In Progress", time.Hour))
			errorType, tokens = "", 1
		}
		w.Tasks.Open("token")
		if r := w.Call(t, payload(t, unknown, "token")); r.ErrorType != errorType {
			t.Errorf("recorded %v: got %q %s, want %q", recorded, r.ErrorType, r.Payload, errorType)
		}
		// Lambda's error ends the task.
		if _, found := w.Row(t, unknown); found != recorded || len(w.Tokens(t, unknown)) != tokens || w.Tasks.Calls("") != 0 {
			t.Errorf("recorded %v: on record %v, tokens %q, %d requests to end tasks", recorded, found, w.Tokens(t, unknown), w.Tasks.Calls(""))
		}
	}
}

// Ensure that the error for bad input is named, and that nothing is stored or requested.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	const id = `"session_id":"99999999-2222-3333-4444-555555555555"`
	for payload, fields := range map[string]string{
		`{}`: "session_id task_token", `[]`: "", `null`: "", `"x"`: "", `{`: "",
		`{` + id + `}`:                                                  "task_token",
		`{"task_token":"token"}`:                                        "session_id",
		`{"session_id":"session-1","task_token":"t"}`:                   "session_id",
		`{"session_id":7,"task_token":{"a":1}}`:                         "session_id task_token",
		`{` + id + `,"task_token":" "}`:                                 "task_token",
		`{` + id + `,"task_token":null}`:                                "task_token",
		`{` + id + `,"task_token":"t","timeout":1}`:                     "timeout",
		`{` + id + `,"task_token":"t","task_token":"u"}`:                "task_token",
		`{` + id + `,"task_token":"` + strings.Repeat("t", 2049) + `"}`: "task_token",
	} {
		r := w.Call(t, []byte(payload))
		if r.ErrorType != "InvalidRequest" {
			t.Errorf("%.80s: got %q %s, want InvalidRequest", payload, r.ErrorType, r.ErrorMessage)
		}
		for field := range strings.FieldsSeq(fields) {
			if !strings.Contains(r.ErrorMessage, field) {
				t.Errorf("%.80s: got %s, want %s named", payload, r.ErrorMessage, field)
			}
		}
	}
	if w.Table.Calls("") != 0 || w.Didit.Count(didittest.OpAny) != 0 {
		t.Errorf("got %d requests to the table and %d to Didit, want none", w.Table.Calls(""), w.Didit.Count(didittest.OpAny))
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"TABLE_NAME": "", "EVENT_BUS_NAME": "", "DIDIT_SECRET_ID": "", "DIDIT_API_VERSION": "v1"}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"TABLE_NAME", "EVENT_BUS_NAME", "DIDIT_SECRET_ID", "DIDIT_API_VERSION"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}
