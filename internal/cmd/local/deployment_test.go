package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// Ensure that the system shows what the operator's tool needs to know, and no page of another
// origin or machine can change.
func TestDeployment(t *testing.T) {
	t.Parallel()
	const other = "22222222-3333-4444-8555-666666666666"
	s := startSystem(t, map[string]string{config.WorkflowIDs: other, config.AllowedCallbacks: "https://app.example.com/a, myapp://"}, io.Discard)
	_, body := do(t, "GET", s.url+"/local/deployment", "", "", "")
	for _, want := range []string{
		`"webhook_url":"` + s.url + `/webhooks/didit"`, `"didit_url":"` + s.simulatorURL + `"`, `"workflow_ids":["` + other + `"]`,
		`"allowed_callbacks":["https://app.example.com/a","myapp://"]`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("deployment %s, want %s", body, want)
		}
	}
	if workflows := s.simulator.Workflows; len(workflows) != 1 || workflows[0].ID != other || workflows[0].Status != "published" {
		t.Errorf("Didit's workflows %+v, want the published one that may be used", workflows)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/local/secrets/webhook", "", 200}, {"GET", "/local/secrets/other", "", 404}, {"PUT", "/local/secrets/didit", `{"api_key":"k"}`, 204},
		{"PUT", "/local/secrets/didit", "no JSON", 400}, {"PUT", "/local/secrets/didit", `"` + strings.Repeat("x", maxLocalBody) + `"`, 400},
	} {
		if response, body := do(t, test.method, s.url+test.path, "", "application/json", test.body); response.StatusCode != test.status {
			t.Errorf("%s %s: got %d %s, want %d", test.method, test.path, response.StatusCode, body, test.status)
		}
	}
	if _, body := do(t, "GET", s.url+"/local/secrets/didit", "", "", ""); body != `{"api_key":"k"}` {
		t.Errorf("secret: got %s, want what was stored", body)
	}
	foreign := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/local/secrets/didit", nil)
	r.RemoteAddr = "192.168.1.7:1234"
	s.page(http.NotFoundHandler()).ServeHTTP(foreign, r)
	if foreign.Code != 404 {
		t.Errorf("another machine: got %d, want 404", foreign.Code)
	}
}

// Ensure that the webhook takes a secret that was stored, and the one before it for a day.
func TestVault_rotation(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var v vault
	if _, err := v.readWebhookSecrets(context.Background()); err == nil {
		t.Error("an empty vault has a webhook secret")
	}
	v.set("webhook", secretJSON(map[string]string{"webhook_secret": didittest.DefaultWebhookSecret}), now)
	v.set("webhook", `{"webhook_secret":"new"}`, now.Add(time.Hour))
	want := didit.WebhookSecrets{Current: "new", Previous: didittest.DefaultWebhookSecret, PreviousUntil: now.Add(25 * time.Hour)}
	if got, err := v.readWebhookSecrets(context.Background()); err != nil || got.Current != want.Current || got.Previous != want.Previous || !got.PreviousUntil.Equal(want.PreviousUntil) {
		t.Errorf("after a rotation: got %v, want the new one, and the one before for a day", err)
	}

	s := startSystem(t, nil, io.Discard)
	if err := s.simulator.SetWebhook("", "another", ""); err != nil {
		t.Fatal(err)
	}
	s.vault.set("webhook", `{"webhook_secret":"another"}`, s.clock.now())
	if _, err := s.simulator.StartSession(didittest.DefaultWorkflow.ID, "user-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.simulator.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := s.simulator.Deliveries(); len(all) != 1 || all[0].Status != 200 {
		t.Errorf("deliveries %+v, want one that was accepted", all)
	}
}
