package functiontest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// Session makes a session at Didit, as an app of its own would, and returns its id.
func (w *World) Session(t *testing.T, vendorData string) string {
	t.Helper()
	body := fmt.Sprintf(`{"workflow_id":%q,"vendor_data":%q}`, Workflow, vendorData)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Didit.URL()+"/v3/session/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var session struct {
		ID string `json:"session_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&session); err != nil || session.ID == "" {
		t.Fatalf("the simulator answers %d, %v", answer.StatusCode, err)
	}
	return session.ID
}

// SetStatus moves a session at Didit to a status.
func (w *World) SetStatus(t *testing.T, id, status string) {
	t.Helper()
	if err := w.Didit.SetStatus(id, status); err != nil {
		t.Fatal(err)
	}
}

// Record is what is on record of a session that was created that long ago and has stayed at the status since.
func Record(id, vendorData, status string, age time.Duration) verification.Record {
	return verification.NewRecord(id, vendorData, Workflow, status, time.Now().Add(-age))
}

// Add puts a session on record.
func (w *World) Add(t *testing.T, r verification.Record) {
	t.Helper()
	if err := w.Store.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// Wait puts the token of a task on record that waits on the session, and opens the task.
func (w *World) Wait(t *testing.T, id string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		w.Tasks.Open(token)
		if err := w.Store.AddTask(t.Context(), id, token); err != nil {
			t.Fatal(err)
		}
	}
}

// Row is what is on record of a session; found tells whether there is anything.
func (w *World) Row(t *testing.T, id string) (r verification.Record, found bool) {
	t.Helper()
	r, found, err := w.Store.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r, found
}

// Minute is the minute that has begun.
func Minute() time.Time { return time.Now().Truncate(time.Minute) }

// TakeReads takes n of the reads of Didit that the deployment has in this minute, of which it allows
// most, and returns the minute.
func (w *World) TakeReads(t *testing.T, n, most int) time.Time {
	t.Helper()
	minute := Minute()
	for range n {
		if taken, err := w.Store.TakeRead(t.Context(), minute, most); !taken || err != nil {
			t.Fatal(taken, err)
		}
	}
	return minute
}

// Tokens are those of the tasks that wait on the session, in order.
func (w *World) Tokens(t *testing.T, id string) []string {
	t.Helper()
	tokens, err := w.Store.Tasks(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tokens)
	return tokens
}

// Detail is the detail of an event on the bus.
type Detail struct {
	EventID     string               `json:"event_id"`
	SessionID   string               `json:"session_id"`
	VendorData  *string              `json:"vendor_data"`
	WorkflowID  *string              `json:"workflow_id"`
	Status      string               `json:"status"`
	Checks      []verification.Check `json:"checks"`
	OccurredAt  string               `json:"occurred_at"`
	Environment *string              `json:"environment"`
}

// Published is what is on the bus, in the order of putting: detail types, and details. It ends the
// test where an event is not the backend's.
func (w *World) Published(t *testing.T) (types []string, details []Detail) {
	t.Helper()
	for _, e := range w.Bus.Events() {
		var d Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil || e.Source != verification.EventSource || e.Bus != BusName {
			t.Fatalf("got an event of %q on bus %q, %v", e.Source, e.Bus, err)
		}
		types, details = append(types, e.DetailType), append(details, d)
	}
	return types, details
}
