package didittest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const userOrder = `{"workflow_id":"` + workflow + `","vendor_data":"user-123"}`

// Ensure an unfinished session comes back, in whatever unfinished status, and no finished one does.
func TestServer_reuse_status(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, status := range statuses {
		first := r.created(userOrder)
		if err := r.SetStatus(first.SessionID, status); err != nil {
			t.Fatal(err)
		}
		again := r.created(userOrder)
		if reused := again.SessionID == first.SessionID; reused != unfinished(status) {
			t.Errorf("%s: reused %v, want %v", status, reused, unfinished(status))
		} else if reused && (again.Status != status || again.URL != first.URL || again.SessionNumber != first.SessionNumber) {
			t.Errorf("%s: got %+v, want what %+v was", status, again, first)
		}
		if err := r.SetStatus(again.SessionID, "Expired"); err != nil {
			t.Fatal(err)
		}
	}
}

// Ensure reuse goes by vendor data and workflow, and by nothing else.
func TestServer_reuse_owner(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	first := r.created(userOrder)
	for body, want := range map[string]bool{
		`{"workflow_id":"` + workflow + `","vendor_data":"user-123","language":"es"}`:                true,
		`{"workflow_id":"` + workflow + `","vendor_data":"user-124"}`:                                false,
		`{"workflow_id":"` + workflow + `"}`:                                                         false,
		`{"workflow_id":"` + workflow + `","vendor_data":""}`:                                        false,
		`{"workflow_id":"22222222-2222-3333-4444-555555555555","vendor_data":"user-123"}`:            false,
		strings.ToLower(`{"workflow_id":"` + workflow + `","vendor_data":"user-123","metadata":{}}`): true,
	} {
		if got := r.created(body).SessionID == first.SessionID; got != want {
			t.Errorf("%s: reused %v, want %v", body, got, want)
		}
	}
	if a, b := r.created(`{"workflow_id":"`+workflow+`"}`), r.created(`{"workflow_id":"`+workflow+`"}`); a.SessionID == b.SessionID {
		t.Error("a session without vendor data was reused")
	}
}

// Ensure a reused session takes over what the new request sends, and keeps what it leaves out.
func TestServer_reuse_overwrites(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	with := func(rest string) createBody {
		return r.created(strings.TrimSuffix(userOrder, "}") + rest + "}")
	}
	with(`,"callback":"https://example.com/1","metadata":{"n":1}`)
	if v := with(`,"callback":"https://example.com/2"`); text(v.Callback) != "https://example.com/2" || string(v.Metadata) != `{"n":1}` {
		t.Errorf("callback %q, metadata %s; want the second, the first", text(v.Callback), v.Metadata)
	}
	if v := with(`,"metadata":{"n":2}`); text(v.Callback) != "https://example.com/2" || string(v.Metadata) != `{"n":2}` {
		t.Errorf("callback %q, metadata %s; want the second of each", text(v.Callback), v.Metadata)
	}
	if v := with(`,"language":"es"`); v.URL != r.origin+"/es/session/"+v.SessionToken {
		t.Errorf("URL %q, want a Spanish one", v.URL)
	}
	list := r.Sessions()
	if len(list) != 1 || !json.Valid(list[0].Request) || !strings.Contains(string(list[0].Request), `"es"`) {
		t.Errorf("sessions %+v, want one with the latest request", list)
	}
}

func TestServer_NoReuse(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{NoReuse: true})
	if a, b := r.created(userOrder), r.created(userOrder); a.SessionID == b.SessionID {
		t.Error("the session was reused")
	}
}

// Ensure snapshots tell what happened and are copies.
func TestServer_Sessions(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	if got := r.Sessions(); len(got) != 0 {
		t.Errorf("sessions %+v, want none", got)
	}
	v := r.created(`{"workflow_id":"` + workflow + `","vendor_data":"user-123","callback":"myapp://x"}`)
	list := r.Sessions()
	if len(list) != 1 {
		t.Fatalf("%d sessions, want 1", len(list))
	}
	got, ok := r.Session(v.SessionID)
	if !ok || got.ID != v.SessionID || got.Number != 1 || got.VendorData != "user-123" || got.WorkflowID != workflow ||
		got.Callback != "myapp://x" || got.Status != "Not Started" || !got.Created.Equal(now.Now()) {
		t.Errorf("session %+v, %v", got, ok)
	}
	clear(list[0].Request)
	if again, _ := r.Session(v.SessionID); string(again.Request) != string(got.Request) {
		t.Error("writing to a snapshot changed the session")
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, v.SessionToken) {
		t.Errorf("snapshot %s holds the session token", text)
	}
	if _, ok := r.Session("unknown"); ok {
		t.Error("an unknown session was found")
	}
}

func TestServer_SetStatus(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(userOrder)
	for _, tt := range []struct {
		id, status string
		want       error
	}{
		{v.SessionID, "In Review", nil},
		{v.SessionID, "in review", ErrUnknownStatus},
		{v.SessionID, "", ErrUnknownStatus},
		{v.SessionID, "KYC Expired", ErrUnknownStatus},
		{"unknown", "Approved", ErrUnknownSession},
	} {
		if err := r.SetStatus(tt.id, tt.status); !errors.Is(err, tt.want) {
			t.Errorf("SetStatus(%q, %q) = %v, want %v", tt.id, tt.status, err, tt.want)
		}
	}
	if got, _ := r.Session(v.SessionID); got.Status != "In Review" {
		t.Errorf("status %q, want In Review", got.Status)
	}
}

// Ensure the oldest sessions are forgotten whole, by number and by size.
func TestRegistry_bounds(t *testing.T) {
	t.Parallel()
	vendor := "user"
	var g registry
	for range MaxSessions + 5 {
		g.add(&session{order: order{vendorData: &vendor, workflowID: workflow}})
	}
	if len(g.items) != MaxSessions || g.items[0].number != 6 {
		t.Errorf("%d sessions, first number %d", len(g.items), g.items[0].number)
	}
	if v := g.reusable(vendor, workflow); v == nil || v.number != MaxSessions+5 {
		t.Errorf("reusable %+v, want the newest", v)
	}
	var big registry
	other := "other"
	big.add(&session{order: order{vendorData: &other, body: make([]byte, maxSessionBytes/2)}})
	big.add(&session{order: order{vendorData: &vendor, body: make([]byte, maxSessionBytes/2)}})
	big.add(&session{order: order{vendorData: &vendor, body: make([]byte, 1)}})
	if len(big.items) != 2 || big.bytes != maxSessionBytes/2+1 || big.reusable(other, "") != nil {
		t.Errorf("%d sessions of %d bytes kept, want 2 of %d", len(big.items), big.bytes, maxSessionBytes/2+1)
	}
}
