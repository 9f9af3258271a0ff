package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// maxLine is the most bytes of a line that a healthy call writes.
const maxLine = 400

// delivery is a webhook of API Gateway's about a session, signed now with the secret under the
// header of that name.
func delivery(t *testing.T, sessionID, status, header, secret string, sent time.Time) []byte {
	t.Helper()
	body := fmt.Sprintf(`{"webhook_type":"status.updated","event_id":"%s","session_id":%q,"status":%q,"timestamp":%d,"vendor_data":"user-123","workflow_id":%q,"environment":"live"}`,
		eventID(status), sessionID, status, sent.Unix(), stage.Workflow)
	return signed(t, body, header, secret)
}

// signed is a webhook of API Gateway's with the body, signed with the secret.
func signed(t *testing.T, body, header, secret string) []byte {
	t.Helper()
	signature, _, err := didit.SignWebhook([]byte(body), secret)
	if err != nil {
		t.Fatal(err)
	}
	return stagetest.Edit(t, recorded(t, "webhook-http-approved"), func(members map[string]any) {
		members["body"], members["isBase64Encoded"] = body, false
		members["headers"] = map[string]any{"content-type": "application/json", header: signature}
		stagetest.Object(members, "requestContext")["requestId"] = "JKJaXmPLvHcESHA="
	})
}

// eventID is an event's id, a UUID that goes with the status.
func eventID(status string) string {
	return fmt.Sprintf("66666666-2222-3333-4444-%012x", status[:6])
}

// created creates a session of user-123 through API Gateway, and returns its id.
func (w *world) created(t *testing.T) string {
	t.Helper()
	payload := stagetest.Edit(t, recorded(t, "createsession-http-minimal"), func(members map[string]any) {
		stagetest.Object(members, "requestContext")["requestId"] = "JKJaXmPLvHcESHA="
	})
	answer, err := w.call(t, "createsession", payload).HTTP()
	var session struct {
		ID string `json:"session_id"`
	}
	if err == nil {
		err = json.Unmarshal(answer.Body, &session)
	}
	if err != nil || answer.Status != 201 {
		t.Fatalf("got %d %s, error %v, want a session", answer.Status, answer.Body, err)
	}
	return session.ID
}

// deliver delivers a status, and hands the event that it becomes to trackstatus.
func (w *world) deliver(t *testing.T, sessionID, status string) {
	t.Helper()
	if err := w.Didit.SetStatus(sessionID, status); err != nil {
		t.Fatal(err)
	}
	before := len(w.Bus.Events())
	w.call(t, "webhook", delivery(t, sessionID, status, "x-signature", stage.WebhookSecret, time.Now().Add(-w.ago)))
	for _, e := range w.Bus.Events()[before:] {
		w.call(t, "trackstatus", stagetest.Edit(t, recorded(t, "trackstatus-direct-status"), func(members map[string]any) {
			members["detail-type"], members["detail"] = e.DetailType, e.Detail
		}))
	}
}

// overdue makes a session due for so long.
func (w *world) overdue(t *testing.T, id string, since time.Duration) {
	t.Helper()
	r, _, err := w.Store.Record(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r.DueFrom = time.Now().Add(-since)
	if written, err := w.Store.Replace(t.Context(), r); !written || err != nil {
		t.Fatal(written, err)
	}
}

// live takes a session through its life, in which apps and workflows ask about it, and returns its
// id.
func (w *world) live(t *testing.T) string {
	t.Helper()
	id := w.created(t)
	get := func() []byte {
		return stagetest.Edit(t, recorded(t, "getsession-http-one", "99999999-2222-3333-4444-555555555555", id), func(members map[string]any) {
			stagetest.Object(members, "requestContext")["requestId"] = "JKJaXmPLvHcESHA="
		})
	}
	w.call(t, "getsession", get())
	w.Tasks.Open("token")
	w.call(t, "awaitdecision", []byte(`{"session_id":"`+id+`","task_token":"token"}`))
	w.deliver(t, id, "In Progress")
	w.deliver(t, id, "Approved")
	w.call(t, "getsession", get())
	w.call(t, "getsession", recorded(t, "getsession-http-list"))
	w.call(t, "reconcile", recorded(t, "reconcile-direct-schedule"))
	return id
}

// Ensure that a healthy call writes one line and one of metrics at most, and that none is long:
// they are paid for by the byte.
func TestLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"REVERIFY": "yes"})
	for range 2 { // the second time on warm processes
		id := w.live(t)
		if r, found, err := w.Store.Record(t.Context(), id); !found || err != nil || r.Status != "Approved" {
			t.Fatalf("got %v, %v, %v, want an approved session", r, found, err)
		}
	}
	w.overdue(t, w.created(t), time.Minute)
	w.call(t, "reconcile", recorded(t, "reconcile-direct-schedule"))
	for _, p := range w.started {
		// In the init phase of a busy machine, the read of the shared token may run into its limit.
		calls, lines := 0, slices.DeleteFunc(p.LogLines(), func(line string) bool {
			return strings.Contains(line, `"DynamoDB is out of reach"`) && !strings.Contains(line, `"requestId"`)
		})
		for _, line := range lines {
			if len(line) > maxLine {
				t.Errorf("%s: a line of %d bytes, want %d at most: %s", p.name, len(line), maxLine, line)
			}
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %s", p.name, line)
			}
			if strings.Contains(line, `"call answered"`) {
				calls++
			} else if !strings.Contains(line, `"Namespace":"DiditSessions/`+stack+`"`) {
				t.Errorf("%s: an unexpected line: %s", p.name, line)
			}
		}
		if calls == 0 || len(lines) > 2*calls+1 {
			t.Errorf("%s: %d lines of %d calls", p.name, len(lines), calls)
		}
	}
}
