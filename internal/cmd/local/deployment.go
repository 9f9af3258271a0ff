package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// vault replaces Secrets Manager: it keeps the texts of the two secrets, and the webhook's previous
// one for a day. The zero value is empty. It is safe for concurrent use.
type vault struct {
	mu             sync.Mutex
	didit, webhook string
	previous       string
	rotated        time.Time
}

// previousAge is how long the webhook's previous secret stays valid, as on AWS.
const previousAge = 24 * time.Hour

func (v *vault) get(name string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return map[string]string{"didit": v.didit, "webhook": v.webhook}[name]
}

func (v *vault) set(name, text string, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch name {
	case "didit":
		v.didit = text
	case "webhook":
		v.previous, v.webhook, v.rotated = v.webhook, text, now
	}
}

// setCredentials stores client credentials.
func (v *vault) setCredentials(clientID, clientSecret string) {
	v.set("didit", secretJSON(map[string]string{"client_id": clientID, "client_secret": clientSecret}), time.Time{})
}

func (v *vault) readCredentials(context.Context) (string, error) { return v.get("didit"), nil }

func (v *vault) readWebhookSecrets(context.Context) (s didit.WebhookSecrets, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.Current, err = didit.ParseWebhookSecret(v.webhook); err != nil {
		return s, err
	}
	s.Previous, _ = didit.ParseWebhookSecret(v.previous)
	s.PreviousUntil = v.rotated.Add(previousAge)
	return s, nil
}

// handleDeployment adds what make connect, doctor and replay with ENV=local need. With a real
// account there is none of it: its secrets are real, too.
func (s *system) handleDeployment(m *http.ServeMux) {
	if s.account.isReal() {
		return
	}
	m.HandleFunc("GET /local/deployment", func(w http.ResponseWriter, _ *http.Request) { send(w, jsonAnswer(http.StatusOK, s.deployment())) })
	m.HandleFunc("GET /local/secrets/{name}", s.secrets)
	m.HandleFunc("PUT /local/secrets/{name}", s.secrets)
}

// deployment is what make connect, doctor and replay with ENV=local need to know, beside the
// secrets: what on AWS the stack's outputs and parameters say.
func (s *system) deployment() any {
	return map[string]any{
		"webhook_url": s.webhookURL, "didit_url": s.diditURL, "workflow_ids": append([]string{}, s.settings.create.Policy.WorkflowIDs...),
		"allowed_callbacks": s.settings.callbacks,
	}
}

// secrets reads and stores the secrets, which are invented and open nothing outside this process.
// They are for programs of this machine.
func (s *system) secrets(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if name != "didit" && name != "webhook" || err != nil || !from.Addr().Unmap().IsLoopback() {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.vault.get(name))
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLocalBody))
	if err != nil || !json.Valid(text) {
		http.Error(w, "the body must be JSON of at most 4 KiB", http.StatusBadRequest)
		return
	}
	s.vault.set(name, string(text), s.clock.now())
	w.WriteHeader(http.StatusNoContent)
}

// workflowsOf are the workflows of the simulated application: those that may be used, published.
func workflowsOf(ids []string) (workflows []didittest.Workflow) {
	for i, id := range ids {
		w := didittest.DefaultWorkflow
		w.ID, w.Version, w.Default = id, id, i == 0
		workflows = append(workflows, w)
	}
	return workflows
}
