package stagetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

// Session creates a session at Didit, as another app would, and returns its id.
func (w *World) Session(t *testing.T, vendorData string) string {
	t.Helper()
	body := fmt.Sprintf(`{"workflow_id":%q,"vendor_data":%q}`, stage.Workflow, vendorData)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.Didit.URL()+"/v3/session/", strings.NewReader(body))
	r.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.Didit.ServeHTTP(answer, r)
	var session struct {
		ID string `json:"session_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&session); err != nil || session.ID == "" {
		t.Fatalf("the simulator answered %d, %v", answer.Code, err)
	}
	return session.ID
}

// SetStatus sets the status of a session at Didit.
func (w *World) SetStatus(t *testing.T, id, status string) {
	t.Helper()
	if err := w.Didit.SetStatus(id, status); err != nil {
		t.Fatal(err)
	}
}

// Record returns the record of a session that was created at age before now and has had the status
// since.
func Record(id, vendorData, status string, age time.Duration) verification.Record {
	return verification.NewRecord(id, vendorData, stage.Workflow, status, time.Now().Add(-age))
}

// Add stores the record.
func (w *World) Add(t *testing.T, r verification.Record) {
	t.Helper()
	if _, _, err := w.Store.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// Wait opens tasks that wait on the session, and stores their tokens.
func (w *World) Wait(t *testing.T, id string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		w.Tasks.Open(token)
		if err := w.Store.AddToken(t.Context(), id, token); err != nil {
			t.Fatal(err)
		}
	}
}

// Row returns the stored record of a session, and whether there is one.
func (w *World) Row(t *testing.T, id string) (r verification.Record, found bool) {
	t.Helper()
	r, found, err := w.Store.Record(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r, found
}

// Minute returns the start of the current minute.
func Minute() time.Time { return time.Now().Truncate(time.Minute) }

// TakeReads takes n of the reader's reads of Didit in this minute, and returns the minute. At most
// limit are allowed.
func (w *World) TakeReads(t *testing.T, reader verification.Reader, n, limit int) time.Time {
	t.Helper()
	minute := Minute()
	for range n {
		if taken, err := w.Store.TakeReadBudget(t.Context(), reader, minute, limit); !taken || err != nil {
			t.Fatal(taken, err)
		}
	}
	return minute
}

// AgeRead makes the last read of the session at Didit two minutes old, so that it may be read
// again.
func (w *World) AgeRead(t *testing.T, id string) {
	t.Helper()
	if _, claimed, err := w.Store.Claim(t.Context(), id, time.Now().Add(-2*time.Minute), -time.Hour); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
}

// Tokens returns the tokens of the tasks that wait on the session, sorted.
func (w *World) Tokens(t *testing.T, id string) []string {
	t.Helper()
	tokens, err := w.Store.Tokens(t.Context(), id)
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
	SentAt      string               `json:"sent_at"`
	Environment *string              `json:"environment"`
}

// Published returns the detail types and details of the events on the bus, in the order of their
// arrival. It fails the test if an event is not one of this module's.
func (w *World) Published(t *testing.T) (types []string, details []Detail) {
	t.Helper()
	for _, e := range w.Bus.Events() {
		var d Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil || e.Source != verification.EventSource || e.Bus != stage.BusName {
			t.Fatalf("got an event of %q on bus %q, %v", e.Source, e.Bus, err)
		}
		types, details = append(types, e.DetailType), append(details, d)
	}
	return types, details
}
