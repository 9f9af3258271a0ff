package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/verification"
)

func TestMain(m *testing.M) { stagetest.Main(m, "trackstatus") }

const sessionID = "99999999-2222-3333-4444-555555555555" // of the recorded event

// noon is the origin of the events' times.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// event is EventBridge's payload for an event of the session, so many seconds after noon.
func event(t *testing.T, id, status string, seconds int) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "direct-status"), func(e map[string]any) {
		detail := stagetest.Object(e, "detail")
		detail["event_id"], detail["status"] = id, status
		detail["occurred_at"] = noon.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
	})
}

func track(t *testing.T, w *stagetest.World, payload []byte) {
	t.Helper()
	if r := w.Call(t, payload); r.Failed() || string(r.Payload) != "{}" {
		t.Errorf("got %s, want {}\n%s", r.Payload, w.Logs())
	}
}

func wantRow(t *testing.T, w *stagetest.World, status string) verification.Record {
	t.Helper()
	r, found := w.Row(t, sessionID)
	if !found || r.Status != status {
		t.Errorf("got %v, %q, want %q on record", found, r.Status, status)
	}
	return r
}

// Ensure that the recorded event is recorded, with all that it says, in one write.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	w.Add(t, stagetest.Record(sessionID, "", "Not Started", time.Minute))
	writes := w.Writes()
	track(t, w, stagetest.Event(t, "direct-status"))
	if got := w.Writes() - writes; got != 1 {
		t.Errorf("got %d writes, want 1", got)
	}
	r := wantRow(t, w, "Approved")
	want := []verification.Check{{Feature: "ID_VERIFICATION", Status: new("Approved")}, {Feature: "LIVENESS", Status: new("Approved")}}
	if r.VendorData != "user-123" || r.WorkflowID != stage.Workflow || !r.StatusAt.Equal(time.Date(2025, 12, 31, 23, 59, 50, 0, time.UTC)) ||
		!slices.EqualFunc(r.Checks, want, func(a, b verification.Check) bool { return a.Feature == b.Feature && *a.Status == *b.Status }) {
		t.Errorf("got %q's session of workflow %s, at %v, checks %v", r.VendorData, r.WorkflowID, r.StatusAt, r.Checks)
	}
	if w.Bus.Calls("") != 0 || w.Secrets.Calls("") != 0 || w.Tasks.Calls("") != 0 {
		t.Errorf("got %d requests to the bus, %d for secrets, %d to tasks, want none", w.Bus.Calls(""), w.Secrets.Calls(""), w.Tasks.Calls(""))
	}
}

// Ensure that the newest status wins, in whatever order and however often events arrive.
func TestOrder(t *testing.T) {
	t.Parallel()
	type e = struct {
		id, status string
		seconds    int
	}
	started, review, approved, declined := e{"e1", "In Progress", 0}, e{"e2", "In Review", 10}, e{"e3", "Approved", 20}, e{"e4", "Declined", 30}
	for _, test := range []struct {
		name   string
		events []e
		want   string
	}{
		{"in order", []e{started, review, approved}, "Approved"},
		{"in reverse order", []e{approved, review, started}, "Approved"},
		{"twice", []e{started, approved, approved, started}, "Approved"},
		{"a reviewer's change", []e{approved, declined}, "Declined"},
		{"a late event", []e{declined, approved}, "Declined"},
		{"a resend that is dated anew", []e{started, approved, {"e1", "In Progress", 40}}, "Approved"},
		{"a tie, the final one last", []e{started, {"e5", "Approved", 0}}, "Approved"},
		{"a tie, the final one first", []e{{"e5", "Approved", 0}, started}, "Approved"},
		{"a tie of two that are not final", []e{started, {"e5", "In Review", 0}}, "In Review"},
		{"a tie of two that are final", []e{approved, {"e5", "Declined", 20}}, "Declined"},
		{"an unknown status", []e{started, {"e5", "Something New", 10}}, "Something New"},
		{"a read loses to an event of its second", []e{review, {"read:1", "Approved", 10}}, "In Review"},
		{"an event beats a read of its second", []e{{"read:1", "Approved", 10}, review}, "In Review"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			// The record is older than any event.
			w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", 0))
			for _, e := range test.events {
				writes := w.Writes()
				track(t, w, event(t, e.id, e.status, e.seconds))
				if got := w.Writes() - writes; got > 1 {
					t.Errorf("%s %s: got %d writes, want at most 1", e.id, e.status, got)
				}
			}
			wantRow(t, w, test.want)
		})
	}
}

// Ensure that events which change nothing here are accepted: those of data, and of sessions without
// a record.
func TestUntracked(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	track(t, w, event(t, "e1", "Approved", 0))
	if _, found := w.Row(t, sessionID); found {
		t.Error("a session that was not on record has come there")
	}
	w.Add(t, stagetest.Record(sessionID, "user-123", "In Progress", time.Minute))
	writes := w.Writes()
	for _, kind := range []string{verification.DetailDataUpdated, verification.DetailUnrecordedUpdate} {
		track(t, w, stagetest.Edit(t, event(t, "e1", "Approved", 0), func(e map[string]any) { e["detail-type"] = kind }))
	}
	wantRow(t, w, "In Progress")
	if w.Writes() != writes {
		t.Errorf("got %d writes, want none", w.Writes()-writes)
	}
}

// Ensure that the error for anything but an event of this backend is named, and that it changes
// nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	edit := func(change func(e map[string]any)) string {
		return string(stagetest.Edit(t, event(t, "e1", "Approved", 0), change))
	}
	detail := func(name string, value any) string {
		return edit(func(e map[string]any) { stagetest.Object(e, "detail")[name] = value })
	}
	for payload, field := range map[string]string{
		`{}`: "", `[]`: "", `null`: "", `"x"`: "",
		edit(func(e map[string]any) { e["source"] = "didit.other" }): "",
		edit(func(e map[string]any) { e["detail"] = "x" }):           "detail",
		edit(func(e map[string]any) { delete(e, "detail") }):         "detail",
		detail("event_id", ""):                                       "detail.event_id",
		detail("session_id", "session-1"):                            "detail.session_id",
		detail("status", nil):                                        "detail.status",
		detail("occurred_at", "noon"):                                "detail.occurred_at",
		detail("occurred_at", 1767225600):                            "detail",
		detail("checks", map[string]any{"a": 1}):                     "detail",
	} {
		if r := w.Call(t, []byte(payload)); r.ErrorType != "InvalidRequest" || !strings.Contains(r.ErrorMessage, field) {
			t.Errorf("%s: got %q %s, want InvalidRequest that names %q", payload, r.ErrorType, r.ErrorMessage, field)
		}
	}
	if w.Table.Calls("GetItem") != 0 {
		t.Error("the table was read")
	}
}

// Ensure that concurrent events, each retried until it succeeds as Lambda would, leave the newest
// status, and that none counts twice.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const events = 10
	// An event loses to each of the others at most once, and to the end of the task.
	const most = 3 * events
	w := stagetest.New(t, lambdatest.Options{MaxConcurrency: events})
	w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", 0))
	w.Wait(t, sessionID, "token")
	done := make(chan error)
	for i := range events {
		status := "In Progress"
		if i == events-1 {
			status = "Approved"
		}
		payload := event(t, fmt.Sprintf("e%d", i), status, i)
		go func() {
			for range most {
				r, err := w.Invoke(t.Context(), payload)
				if err != nil || !r.Failed() {
					done <- err
					return
				}
			}
			done <- fmt.Errorf("event %d was never taken", i)
		}()
	}
	for range events {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	r := wantRow(t, w, "Approved")
	if len(r.Seen) != events {
		t.Errorf("%d events have been seen, want %d", len(r.Seen), events)
	}
	if outcome, ended := w.Tasks.Outcome("token"); !ended || outcome.Failed {
		t.Errorf("the task: got %v, %v, want a success", outcome, ended)
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"TABLE_NAME": "", "RETENTION_DAYS": "always"}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"TABLE_NAME", "RETENTION_DAYS"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

// output is what a task ends with.
type output struct {
	SessionID  string `json:"session_id"`
	VendorData string `json:"vendor_data"`
	WorkflowID string `json:"workflow_id"`
	Status     string `json:"status"`
}

func decode(t *testing.T, text string) (o output) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("got output %q: %v", text, err)
	}
	return o
}
