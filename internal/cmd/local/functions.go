package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/version"
)

// backend replaces the AWS services behind the functions.
type backend struct {
	store       memory.Store
	records     verification.Store // the store, observed
	bus         memory.Bus
	tasks       memory.Tasks
	vault       vault
	account     account
	diditURL    string // of the simulator; empty with a real account
	sessionURL  string // the simulator's origin of session URLs
	now         func() time.Time
	functionLog *slog.Logger
	patience    time.Duration                        // replaces the functions' limits; 0 means those of the deployment
	sleep       func(context.Context, time.Duration) // of eraseuser; nil waits in real time
}

// functions are the functions of template.yaml that the local system invokes.
type functions struct {
	create, get, webhook, track, await, reconcile, erase *lambdahttp.Handler
}

// functions wires each function as its main does, on the backend.
func (b *backend) functions(s settings) *functions {
	trouble, table := api.LogRecovered(b.functionLog), s.reconcile.Table
	b.store.Now = b.now
	create := &api.CreateSession{
		Sessions: &verification.Creator{Policy: s.create.Policy, Didit: hosted{b.client(s.create.Didit), b.sessionURL}, Store: b.records,
			Retention: table.Retention, ReconcileAfter: table.ReconcileAfter, LookLimit: b.patience, LogRecovered: trouble, Now: b.now},
		Callers: callers(s.create.Callers), MaxRaw: s.create.Policy.MaxRaw, Log: b.functionLog,
	}
	tracker := func(d verification.Statuses, reads int) *verification.Tracker {
		return &verification.Tracker{Store: b.records, Bus: &b.bus, Tasks: &b.tasks, Didit: d, ReadsPerMinute: reads,
			Retention: table.Retention, ReconcileAfter: table.ReconcileAfter, LogRecovered: trouble, Now: b.now}
	}
	get := tracker(b.client(s.get.Didit), s.get.ReadsPerMinute)
	get.Tasks = nil // they are left to trackstatus, which gets the event
	receive, track := tracker(nil, 0), tracker(nil, 0)
	await := tracker(b.client(s.await.Didit), 0)
	reconcile := tracker(b.client(s.reconcile.Didit), s.reconcile.ReadsPerMinute)
	return &functions{
		create: &lambdahttp.Handler{HTTP: create, Direct: create.Invoke},
		get:    &lambdahttp.Handler{HTTP: &api.GetSession{Records: get, Callers: callers(s.get.Callers), Log: b.functionLog}},
		webhook: &lambdahttp.Handler{HTTP: &api.Webhook{
			Verifier: &didit.Verifier{Secrets: &didit.WebhookSecretCache{Read: b.vault.readWebhookSecrets, Now: b.now}, Tolerance: s.webhook.Tolerance, Now: b.now},
			Events:   receive, RequestContext: identify, Log: b.functionLog,
		}},
		track:     b.direct(api.TrackStatus(track)),
		await:     b.direct(api.AwaitDecision(await)),
		reconcile: b.direct(api.Reconcile(reconcile)),
		erase: b.direct(api.EraseUser(&verification.Eraser{
			Store: b.records, Bus: &b.bus, Tasks: &b.tasks, Didit: b.client(s.erase.Didit), LogRecovered: trouble, Now: b.now, Sleep: b.sleep})),
	}
}

func (b *backend) direct(operation *api.Operation) *lambdahttp.Handler {
	operation.Log = b.functionLog
	return &lambdahttp.Handler{Direct: operation.Invoke}
}

// client returns a client of Didit. Each function has one, and so a token of its own.
func (b *backend) client(settings config.Didit) *didit.Client {
	authURL, apiURL := settings.AuthURL, settings.APIURL
	if !b.account.isReal() {
		authURL, apiURL = b.diditURL, b.diditURL
	}
	return &didit.Client{
		Credentials: &didit.CredentialCache{Read: b.vault.readCredentials},
		AuthURL:     authURL, APIURL: apiURL, Version: didit.Version(settings.APIVersion),
		UserAgent: version.UserAgent, Observe: api.ObserveAttempt,
	}
}

func callers(c config.Callers) api.Callers {
	return api.Callers{RequestContext: identify, TrustIAM: c.TrustIAM, PrincipalClaim: c.PrincipalClaim}
}

func identify(r *http.Request) api.RequestContext {
	return api.RequestContext(lambdahttp.FromContext(r.Context()))
}

// follow delivers the events on the bus as the rule of template.yaml does: trackstatus gets those
// of a status, in EventBridge's form, until it succeeds, at most three times.
func (b *backend) follow(track function) {
	b.bus.Subscribe(func(ctx context.Context, e verification.Event) error {
		if e.DetailType() != verification.DetailStatusUpdated {
			return nil
		}
		detail, err := verification.EncodeDetail(e)
		if err != nil {
			return err
		}
		event := awsfake.BusEvent{
			ID: e.ID, Source: verification.EventSource, DetailType: e.DetailType(), Detail: detail, Time: e.OccurredAt,
		}
		_, err = track.Invoke(ctx, event.Payload())
		return err
	})
}
