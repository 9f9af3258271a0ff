package didit_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// inbox verifies what the simulator sends, and keeps what it made of it.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	events []didit.WebhookEvent
	kinds  []didit.WebhookErrorKind
}

func newInbox(t *testing.T, now func() time.Time) *inbox {
	t.Helper()
	verifier := &didit.Verifier{Now: now, Secrets: &didit.WebhookSecretCache{
		Read: func(context.Context) (didit.WebhookSecrets, error) {
			return didit.WebhookSecrets{Current: didittest.DefaultWebhookSecret}, nil
		},
	}}
	in := new(inbox)
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("body: %v", err)
		}
		event, err := verifier.Verify(r.Context(), r.Header, body)
		in.mu.Lock()
		defer in.mu.Unlock()
		if err == nil {
			in.events = append(in.events, event)
			return
		}
		refused, ok := errors.AsType[*didit.WebhookError](err)
		if !ok {
			t.Errorf("got %v, want a refusal", err)
			return
		}
		in.kinds = append(in.kinds, refused.Kind)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) got() ([]didit.WebhookEvent, []didit.WebhookErrorKind) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.events), slices.Clone(in.kinds)
}

// simulate starts the simulator and makes a client of it. Neither has a limit that a busy machine
// could reach.
func simulate(t *testing.T, sim *didittest.Server) *didit.Client {
	t.Helper()
	sim.DeliveryTimeout = time.Hour
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &didit.Client{
		AuthURL: sim.URL(), APIURL: sim.URL(), AttemptTimeout: time.Hour,
		Credentials: &didit.CredentialCache{Read: func(context.Context) (string, error) {
			return `{"client_id":"` + didittest.DefaultClientID + `","client_secret":"` + didittest.DefaultClientSecret + `"}`, nil
		}},
	}
}

func settle(t *testing.T, sim *didittest.Server) {
	t.Helper()
	if err := sim.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Two who know nothing of each other agree: what the simulator sends in any shape is verified, and
// says the same as the decision that the client gets, for every status.
func TestSimulator(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2", "v3"} {
		for _, api := range []didit.Version{didit.V2, didit.V3} {
			in := newInbox(t, nil)
			sim := &didittest.Server{WebhookURL: in.URL, WebhookVersion: version}
			client := simulate(t, sim)
			client.Version = api
			session, err := client.CreateSession(t.Context(), didit.SessionRequest{
				WorkflowID: "11111111-2222-3333-4444-555555555555", VendorData: "é😀<&>\u2028",
				Fields: map[string]any{"metadata": json.RawMessage(`{"whole":92.0,"small":1e-05,"long":118120836164494131264123456789012345678,"text":"<\u2028\u007f>"}`)},
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, status := range []string{"Not Started", "In Progress", "In Review", "Approved", "Declined", "Resubmitted", "Abandoned", "Expired", "Kyc Expired"} {
				sim.Misdeliver([]didittest.Quirk{didittest.SendTwice, didittest.SendReworded}[i%2], 1)
				if err := sim.SetStatus(session.ID, status); err != nil {
					t.Fatal(err)
				}
				settle(t, sim)
				events, kinds := in.got()
				decision, err := client.Decision(t.Context(), session.ID)
				if err != nil || len(kinds) != 0 || len(events) == 0 {
					t.Fatalf("webhooks %s, API %s: got %v, refusals %v, %d events", version, api, err, kinds, len(events))
				}
				e := events[len(events)-1]
				if e.Status != status || decision.Status != status || e.SessionID != session.ID || *e.VendorData != *session.VendorData || *decision.VendorData != *session.VendorData {
					t.Errorf("webhooks %s, API %s: got %v and %v, want %s", version, api, e, decision, status)
				}
				if version == "v3" && len(e.Checks) > 0 && !sameChecks(e.Checks, decision.Checks) {
					t.Errorf("API %s, %s: got checks %v by webhook, %v by decision", api, status, e.Checks, decision.Checks)
				}
				if known := slices.Contains([]string{"In Review", "Approved", "Declined", "Abandoned"}, status); len(e.Checks) > 0 != known || len(decision.Checks) != 4 {
					t.Errorf("%s: got checks known %t, and %d of the decision, want %t and 4", status, len(e.Checks) > 0, len(decision.Checks), known)
				}
			}
		}
	}
}

func sameChecks(a, b []didit.Check) bool {
	return slices.EqualFunc(a, b, func(a, b didit.Check) bool {
		return a.Feature == b.Feature && (a.Status == nil) == (b.Status == nil) && (a.Status == nil || *a.Status == *b.Status)
	})
}

// A resend is the same event at the same time, however late; a stale delivery and a forged one are
// refused.
func TestSimulator_resend(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2", "v3"} {
		var mu sync.Mutex
		clock := time.Date(2026, 11, 23, 9, 0, 0, 5000, time.UTC)
		now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
		in := newInbox(t, now)
		sim := &didittest.Server{WebhookURL: in.URL, WebhookVersion: version, Now: now}
		client := simulate(t, sim)
		for _, quirk := range []didittest.Quirk{didittest.SendStale, didittest.SendForged} {
			sim.Misdeliver(quirk, 1)
			_, err := client.CreateSession(t.Context(), didit.SessionRequest{WorkflowID: "11111111-2222-3333-4444-555555555555"})
			if err != nil {
				t.Fatal(err)
			}
			settle(t, sim)
		}
		if _, kinds := in.got(); !slices.Equal(kinds, []didit.WebhookErrorKind{didit.WebhookStale, didit.WebhookMismatch}) {
			t.Errorf("%s: got refusals %v, want stale and mismatch", version, kinds)
		}
		if _, err := sim.Resend(sim.Deliveries()[0].EventID); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		clock = clock.Add(30 * 24 * time.Hour)
		mu.Unlock()
		if _, err := sim.Resend(sim.Deliveries()[0].EventID); err != nil {
			t.Fatal(err)
		}
		events, _ := in.got()
		if want := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC); len(events) != 2 || events[0].ID != events[1].ID || !events[1].OccurredAt.Equal(want) {
			t.Errorf("%s: got %v, want twice the same of %v", version, events, want)
		}
	}
}
