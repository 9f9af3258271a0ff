package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"didit-sessions/internal/api"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/version"
)

// secret replaces a secret in Secrets Manager. It is safe for concurrent use.
type secret struct{ value atomic.Value } // its JSON

func (s *secret) set(values map[string]string) {
	text, _ := json.Marshal(values)
	s.value.Store(string(text))
}

func (s *secret) read(context.Context) (string, error) { return s.value.Load().(string), nil }

// webhook reads the secret as a webhook secret that was never rotated.
func (s *secret) webhook(ctx context.Context) (didit.WebhookSecrets, error) {
	text, err := s.read(ctx)
	if err != nil {
		return didit.WebhookSecrets{}, err
	}
	current, err := didit.ParseWebhookSecret(text)
	return didit.WebhookSecrets{Current: current}, err
}

// backend replaces the AWS services behind the functions.
type backend struct {
	store         memory.Store
	bus           memory.Bus
	tasks         memory.Tasks
	credentials   secret
	webhookSecret secret
	diditURL      string
	now           func() time.Time
	functionLog   *slog.Logger
	patience      time.Duration // replaces the functions' limits; 0 means those of the deployment
}

// functions are the functions of template.yaml that the local system invokes.
type functions struct {
	create, get, webhook, track, await, reconcile *lambdahttp.Handler
}

// functions wires each function as its main does, on the backend.
func (b *backend) functions(s settings) *functions {
	trouble := api.LogRecovered(b.functionLog)
	create := &api.CreateSession{
		Sessions: &verification.Creator{Policy: s.create.Policy, Didit: b.client(s.create.Didit), Store: &b.store, Now: b.now},
		Callers:  callers(s.create.Callers), Log: b.functionLog,
	}
	get := &verification.Tracker{Store: &b.store, Bus: &b.bus, Didit: b.client(s.get.Didit), LogRecovered: trouble, Now: b.now}
	receive := &verification.Tracker{Store: &b.store, Bus: &b.bus, Now: b.now}
	track := &verification.Tracker{Store: &b.store, Tasks: &b.tasks, Now: b.now}
	await := &verification.Tracker{Store: &b.store, Bus: &b.bus, Tasks: &b.tasks, Didit: b.client(s.await.Didit), LogRecovered: trouble, Now: b.now}
	reconcile := &verification.Tracker{Store: &b.store, Bus: &b.bus, Tasks: &b.tasks, Didit: b.client(s.reconcile.Didit),
		ReconcileAfter: s.reconcile.After, LogRecovered: trouble, Now: b.now}
	return &functions{
		create: &lambdahttp.Handler{HTTP: create, Direct: create.Invoke},
		get:    &lambdahttp.Handler{HTTP: &api.GetSession{Records: get, Callers: callers(s.get.Callers), Log: b.functionLog}},
		webhook: &lambdahttp.Handler{HTTP: &api.Webhook{
			Verifier: &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: b.webhookSecret.webhook}, Tolerance: s.webhook.Tolerance, Now: b.now},
			Events:   receive, RequestContext: identify, Log: b.functionLog,
		}},
		track:     b.direct(api.TrackStatus(track)),
		await:     b.direct(api.AwaitDecision(await)),
		reconcile: b.direct(api.Reconcile(reconcile)),
	}
}

func (b *backend) direct(operation *api.Operation) *lambdahttp.Handler {
	operation.Log = b.functionLog
	return &lambdahttp.Handler{Direct: operation.Invoke}
}

// client returns a client of Didit. Each function has one, and so a token of its own.
func (b *backend) client(settings config.Didit) *didit.Client {
	return &didit.Client{
		Credentials: &didit.CredentialCache{Read: b.credentials.read},
		AuthURL:     b.diditURL, APIURL: b.diditURL, Version: didit.Version(settings.APIVersion),
		UserAgent: version.UserAgent, Observe: api.ObserveAttempt,
	}
}

func callers(c config.Callers) api.Callers {
	return api.Callers{RequestContext: identify, TrustIAM: c.TrustIAM, PrincipalClaim: c.PrincipalClaim}
}

func identify(r *http.Request) api.RequestContext {
	return api.RequestContext(lambdahttp.FromContext(r.Context()))
}
