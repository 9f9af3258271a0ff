package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"didit-sessions/internal/api"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// secret stands in for a secret in Secrets Manager. It is safe for concurrent use.
type secret struct {
	mu   sync.Mutex
	text string
}

func (s *secret) set(values map[string]string) {
	text, _ := json.Marshal(values)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = string(text)
}

func (s *secret) read(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text, nil
}

// webhook reads the secret as one with a webhook secret that was never rotated.
func (s *secret) webhook(ctx context.Context) (didit.WebhookSecrets, error) {
	text, err := s.read(ctx)
	if err != nil {
		return didit.WebhookSecrets{}, err
	}
	current, err := didit.ParseWebhookSecret(text)
	return didit.WebhookSecrets{Current: current}, err
}

// backend stands in for the AWS services behind the functions.
type backend struct {
	store         memory.Store
	bus           memory.Bus
	tasks         memory.Tasks
	credentials   secret
	webhookSecret secret
	diditURL      string
	now           func() time.Time
	functionLog   *slog.Logger
	patience      time.Duration // limits within which Didit and the functions answer; 0: those of the deployment
}

// functions are those of template.yaml that something here invokes.
type functions struct {
	create, get, webhook, track, await, reconcile *lambdahttp.Handler
}

// functions wires each function as its main does, over the backend.
func (b *backend) functions(s settings) *functions {
	trouble := api.Trouble(b.functionLog)
	create := &api.CreateSession{
		Sessions: &verification.Service{Policy: s.create.Policy, Didit: b.client(s.create.Didit), Store: &b.store, Now: b.now},
		Callers:  callers(s.create.Callers), Log: b.functionLog,
	}
	get := &verification.Tracker{Store: &b.store, Bus: &b.bus, Didit: b.client(s.get.Didit), AskLimit: b.patience, Trouble: trouble, Now: b.now}
	receive := &verification.Tracker{Store: &b.store, Bus: &b.bus, Now: b.now}
	track := &verification.Tracker{Store: &b.store, Tasks: &b.tasks, Now: b.now}
	await := &verification.Tracker{Store: &b.store, Bus: &b.bus, Tasks: &b.tasks, Didit: b.client(s.await.Didit), Trouble: trouble, Now: b.now}
	reconcile := &verification.Tracker{Store: &b.store, Bus: &b.bus, Tasks: &b.tasks, Didit: b.client(s.reconcile.Didit),
		ReconcileAfter: s.reconcile.After, Trouble: trouble, Now: b.now}
	return &functions{
		create: &lambdahttp.Handler{HTTP: create, Direct: create.Direct, Limit: b.patience},
		get:    &lambdahttp.Handler{HTTP: &api.GetSession{Records: get, Callers: callers(s.get.Callers), Log: b.functionLog}, Limit: b.patience},
		webhook: &lambdahttp.Handler{HTTP: &api.Webhook{
			Verifier: &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: b.webhookSecret.webhook}, Tolerance: s.webhook.Tolerance, Now: b.now},
			Events:   receive, Identify: identify, Log: b.functionLog, Limit: b.patience,
		}, Limit: b.patience},
		track:     b.direct(api.TrackStatus(track)),
		await:     b.direct(api.AwaitDecision(await)),
		reconcile: b.direct(api.Reconcile(reconcile)),
	}
}

func (b *backend) direct(operation *api.Direct) *lambdahttp.Handler {
	operation.Log = b.functionLog
	return &lambdahttp.Handler{Direct: operation.Serve}
}

// client is a function's client of Didit; each keeps a token of its own.
func (b *backend) client(settings config.Didit) *didit.Client {
	return &didit.Client{
		Credentials: &didit.CredentialCache{Read: b.credentials.read},
		AuthURL:     b.diditURL, APIURL: b.diditURL, Version: didit.Version(settings.APIVersion),
		AttemptTimeout: b.patience, Observe: api.ObserveAttempt,
	}
}

func callers(c config.Callers) api.Callers {
	return api.Callers{Identify: identify, TrustIAM: c.CallerAuth == "iam", PrincipalClaim: c.PrincipalClaim}
}

func identify(r *http.Request) api.Identity { return api.Identity(lambdahttp.ProofOf(r.Context())) }
