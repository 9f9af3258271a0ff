package management

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// simulator serves a Didit and returns a client of it.
func simulator(t *testing.T, s *didittest.Server) *Client {
	t.Helper()
	s.DeliveryTimeout = time.Hour
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	return &Client{URL: server.URL, Key: didittest.DefaultAPIKey}
}

func TestClient_destinations(t *testing.T) {
	t.Parallel()
	c := simulator(t, &didittest.Server{ApplicationWebhookURL: "https://old.example/", AllowedDomains: []string{"https://app.example.com"}})
	made, err := c.CreateDestination(t.Context(), NewDestination{Label: "l", URL: "https://one.example/", Version: "v3", Events: []string{"status.updated"}})
	if err != nil || made.Secret == "" || made.Enabled {
		t.Fatalf("create: got %+v, %v; want a disabled one with its secret", made, err)
	}
	if err := c.ChangeDestination(t.Context(), made.ID, DestinationChange{Enabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	one, err := c.Destination(t.Context(), made.ID)
	if err != nil || !one.Enabled || one.Secret != made.Secret || fmt.Sprint(one.Events) != "[status.updated]" {
		t.Errorf("after the change: got %+v, %v; want it enabled, and its events as before", one, err)
	}
	all, err := c.Destinations(t.Context())
	if err != nil || len(all) != 1 || all[0].Secret != "" || all[0].Last4 != string(made.Secret[39:]) {
		t.Errorf("list: got %+v, %v; want one without its secret", all, err)
	}
	a, err := c.Application(t.Context())
	if err != nil || a.WebhookURL == nil || *a.WebhookURL != "https://old.example/" || fmt.Sprint(a.AllowedDomains) != "[https://app.example.com]" {
		t.Errorf("application: got %+v, %v", a, err)
	}
}

// Ensure the log is read over several pages, as far as it is young enough, and that an event is
// sent again under its own id.
func TestClient_deliveries(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(nil) // 404 to everything
	t.Cleanup(hook.Close)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &didittest.Server{WebhookURL: hook.URL, RetryWaits: []time.Duration{}, Now: func() time.Time { return now }}
	c := simulator(t, s)
	const events = 120
	var session string
	for i := range events {
		now = now.Add(time.Second)
		v, err := s.StartSession(didittest.DefaultWorkflow.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		session = v.ID
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(i, err)
		}
	}
	list, err := c.Destinations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := s.Count(didittest.OpManage)
	for since, want := range map[time.Duration]int{time.Hour: events, 10 * time.Second: 11, 0: 1} {
		got, err := c.Deliveries(t.Context(), list[0].ID, now.Add(-since))
		if err != nil || len(got) != want {
			t.Errorf("deliveries of the last %v: got %d, %v; want %d", since, len(got), err, want)
		}
	}
	if n := s.Count(didittest.OpManage) - before; n != 3+1+1 {
		t.Errorf("%d requests, want 3 for all and 1 for each of the others", n)
	}
	log, err := c.SessionDeliveries(t.Context(), session)
	if err != nil || len(log) != 1 || log[0].Event == "" || log[0].Status != "Not Started" || log[0].Delivered() || *log[0].Response != 404 || log[0].URL != hook.URL {
		t.Fatalf("log: got %+v, %v", log, err)
	}
	again, err := c.Resend(t.Context(), log[0])
	if err != nil || again.Event != log[0].Event || again.ID == log[0].ID {
		t.Errorf("resend: got %+v, %v; want the same event", again, err)
	}
}

// Ensure a page of another origin is not followed there, and that both orders of a log are read.
func TestClient_Deliveries_foreign(t *testing.T) {
	t.Parallel()
	c, request := answer(t, 200, `{"next":"http://evil.example/v3/webhook/destinations/x/deliveries/?offset=1","results":[
		{"uuid":"old","created_at":"2026-03-01T00:00:00Z"},{"uuid":"new","created_at":"2026-03-02T00:00:00Z","response_status":204}]}`)
	got, err := c.Deliveries(t.Context(), "id", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	if err != nil || len(got) != maxPages || got[0].ID != "new" || !got[0].Delivered() || request.URL.RequestURI() != "/v3/webhook/destinations/x/deliveries/?offset=1" {
		t.Errorf("got %d deliveries, %v, the last from %s; want the new one of each page, from this origin", len(got), err, request.URL)
	}
}

// Ensure events without an id are the same on each delivery, and others are not.
func TestDelivery_event(t *testing.T) {
	t.Parallel()
	id := func(body string) string {
		t.Helper()
		text, _ := json.Marshal(map[string]string{"request_body": body})
		var d Delivery
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		return d.Event
	}
	first := id(`{"session_id":"a","status":"Approved","timestamp":1}`)
	for body, same := range map[string]bool{
		`{"status":"Approved","session_id":"a","timestamp":2}`: true,
		`{"status":"Declined","session_id":"a","timestamp":1}`: false,
		`{"status":"Approved","session_id":"b","timestamp":1}`: false,
	} {
		if got := id(body); (got == first) != same || got == "" {
			t.Errorf("%s: id %q beside %q, want the same: %t", body, got, first, same)
		}
	}
	if got := id(`{"event_id":"e"}`); got != "e" {
		t.Errorf("got %q, want Didit's id", got)
	}
	if got := id("no JSON"); got != "" {
		t.Errorf("got %q, want none", got)
	}
}
