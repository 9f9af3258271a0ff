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

func TestMain(m *testing.M) { stagetest.Main(m, "eraseuser") }

// payload names an end user.
func payload(t *testing.T, userID string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "direct-user"), func(e map[string]any) { e["vendor_data"] = userID })
}

// session creates a session at Didit and its record, with a task that waits on it.
func session(t *testing.T, w *stagetest.World, userID, status string) string {
	t.Helper()
	started, err := w.Didit.StartSession(stage.Workflow, userID)
	if err != nil {
		t.Fatal(err)
	}
	w.SetStatus(t, started.ID, status)
	w.Add(t, stagetest.Record(started.ID, userID, status, time.Hour))
	w.Wait(t, started.ID, "task of "+started.ID)
	return started.ID
}

// wantErased checks that nothing of a session is left but that it is erased.
func wantErased(t *testing.T, w *stagetest.World, id string) {
	t.Helper()
	r, found := w.Row(t, id)
	if !found || !r.Erased || r.VendorData != "" || r.WorkflowID != "" || r.Status != "" || !r.CreatedAt.IsZero() || r.Version != 0 || time.Until(r.Expires) > 31*24*time.Hour {
		t.Errorf("%s: on record %v, erased %v, owner %q, status %q, until %v: want nothing but that it is erased", id, found, r.Erased, r.VendorData, r.Status, r.Expires)
	}
	if outcome, ended := w.Tasks.Outcome("task of " + id); !ended || outcome.Error != "UserErased" {
		t.Errorf("%s: the task ended %v with %q, want UserErased", id, ended, outcome.Error)
	}
	if left, _ := w.Didit.Session(id); !left.Deleted {
		t.Errorf("%s: Didit still has the session", id)
	}
}

// Ensure that a person is forgotten, here and at Didit, whichever kind the secret is of, and that
// nothing but the event holds the id.
func TestErase(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"client credentials": stage.PairSecret, "API key": stage.KeySecret} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			w.Secrets.Set(stage.SecretID, secret)
			leaks := &stagetest.Leaks{World: w, Logged: []string{"user-123", "user-124", didittest.DefaultClientSecret, didittest.DefaultAPIKey}}
			ids := []string{session(t, w, "user-123", "Approved"), session(t, w, "user-123", "In Progress")}
			other := session(t, w, "user-124", "Approved")
			r := leaks.Call(t, "erase", payload(t, "user-123"))
			if string(r.Payload) != `{"sessions":2,"deleted":2,"user_deleted":true}` {
				t.Errorf("got %s\n%s", r.Payload, w.Logs())
			}
			for _, id := range ids {
				wantErased(t, w, id)
			}
			if r, _ := w.Row(t, other); r.Erased || r.VendorData != "user-124" {
				t.Error("another user was erased")
			}
			if got := w.Didit.Users(); !slices.Equal(got, []string{"user-124"}) {
				t.Errorf("Didit has the users %q, want the other one", got)
			}
			events := w.Bus.Events()
			if len(events) != 1 || events[0].DetailType != "Verification User Erased" {
				t.Fatalf("got events %+v, want one", events)
			}
			var detail map[string]string
			if err := json.Unmarshal(events[0].Detail, &detail); err != nil || len(detail) != 3 || detail["vendor_data"] != "user-123" || detail["event_id"] == "" || detail["occurred_at"] == "" {
				t.Errorf("got the detail %s, error %v", events[0].Detail, err)
			}
			if w.Didit.Count(didittest.OpToken) > 0 {
				t.Error("an access token was requested: the management API takes keys")
			}
			leaks.Done(t)
		})
	}
}

// Ensure that what is wrong with the id is said, and that any string that a session can have is
// one.
func TestInput(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	long := strings.Repeat("ユ", 682) + "é"
	if len(long) != 2048 {
		t.Fatalf("the long id has %d bytes", len(long))
	}
	for name, test := range map[string]struct{ payload, want string }{
		"empty":       {string(stagetest.Event(t, "direct-refused")), "vendor_data is required"},
		"missing":     {`{}`, "vendor_data is required"},
		"null":        {`{"vendor_data":null}`, "vendor_data is required"},
		"a number":    {`{"vendor_data":123}`, "vendor_data must be a string"},
		"a list":      {`{"vendor_data":["user-123"]}`, "vendor_data must be a string"},
		"more fields": {`{"vendor_data":"user-123","session_id":"1"}`, "session_id"},
		"too long":    {`{"vendor_data":"` + long + `x"}`, "vendor_data is longer than any that a session can have"},
		"not JSON":    {`"user-123"`, "object"},
	} {
		r := w.Call(t, []byte(test.payload))
		if r.ErrorType != "InvalidRequest" || !strings.Contains(r.ErrorMessage, test.want) {
			t.Errorf("%s: got %q %q, want InvalidRequest, %s", name, r.ErrorType, r.ErrorMessage, test.want)
		}
	}
	if n := w.Didit.Count(didittest.OpAny) + w.Table.Calls("UpdateItem") + len(w.Bus.Events()); n > 0 {
		t.Errorf("%d calls were made for requests that were refused", n)
	}
	for i, id := range []string{long, " user 123 ", "a\"<&>\\\u2028", "%2F..?&#+", "unknown"} {
		if id != "unknown" {
			session(t, w, id, "Approved")
		}
		r := w.Call(t, payload(t, id))
		want := fmt.Sprintf(`{"sessions":%d,"deleted":%[1]d,"user_deleted":true}`, map[bool]int{true: 1}[id != "unknown"])
		types, details := w.Published(t)
		if string(r.Payload) != want || len(types) != i+1 || *details[i].VendorData != id {
			t.Errorf("%.20q: got %s and %d events, want %s", id, r.Payload, len(types), want)
		}
	}
	if left := w.Didit.Users(); len(left) > 0 {
		t.Errorf("Didit still has %d users", len(left))
	}
}
