package main

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// What functions find in their environment.
const (
	secretID        = "bench/didit"
	webhookSecretID = "bench/didit-webhook"
	tableName       = "bench-sessions"
	busName         = "bench-bus"
)

// world is everything that a function talks to, at a distance: the Didit
// simulator under the two names that Didit has, Secrets Manager, a table with
// one session on record, and an event bus, each behind TLS (1.3, with HTTP/2 on
// offer) and a proxy that delays.
type world struct {
	didit   *didittest.Server
	secrets *lambdatest.SecretsManager
	table   *lambdatest.DynamoDB
	bus     *lambdatest.EventBridge

	authURL, apiURL, secretsURL, tableURL, busURL string

	token string // an access token that Didit accepts

	trust *trust
	stop  []func()
}

func newWorld(ctx context.Context, trust *trust, d distance) (*world, error) {
	w := &world{
		didit: new(didittest.Server), secrets: new(lambdatest.SecretsManager), table: new(lambdatest.DynamoDB), bus: new(lambdatest.EventBridge),
		trust: trust,
	}
	w.stop = append(w.stop, w.didit.Close)
	w.secrets.Set(secretID, `{"client_id":"`+didittest.DefaultClientID+`","client_secret":"`+didittest.DefaultClientSecret+`"}`)
	w.secrets.Set(webhookSecretID, `{"webhook_secret":"`+webhookSecret+`"}`)
	if err := w.start(ctx, d); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) start(ctx context.Context, d distance) error {
	var direct []string // the upstreams as they are without a distance
	for _, upstream := range []struct {
		handler   http.Handler
		roundTrip time.Duration
		urls      []*string
	}{
		{w.didit, d.didit, []*string{&w.authURL, &w.apiURL}},
		{w.secrets, d.aws, []*string{&w.secretsURL}},
		{w.table, d.aws, []*string{&w.tableURL}},
		{w.bus, d.aws, []*string{&w.busURL}},
	} {
		address, err := w.serve(upstream.handler)
		if err != nil {
			return err
		}
		direct = append(direct, "https://"+address)
		for _, url := range upstream.urls {
			p, err := listenProxy(address, upstream.roundTrip)
			if err != nil {
				return err
			}
			w.stop = append(w.stop, p.Close)
			*url = "https://" + p.Addr()
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.trust.pool, MinVersion: tls.VersionTLS13}}
	defer transport.CloseIdleConnections()
	var err error
	if w.token, err = buyToken(ctx, direct[0], transport); err != nil {
		return err
	}
	return putOnRecord(ctx, direct[2], transport)
}

// close ends all of it.
func (w *world) close() {
	for _, stop := range w.stop {
		stop()
	}
}

// environment is what own says, for a process that trusts this world.
func (w *world) environment(own map[string]string) map[string]string {
	env := maps.Clone(w.trust.env)
	maps.Copy(env, own)
	return env
}

// serve answers on loopback, behind TLS, and returns the address.
func (w *world) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{w.trust.server}, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: time.Minute,
		// Processes that end in the middle of things are expected here.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(listener, "", "")
	w.stop = append(w.stop, func() { server.Close() })
	return listener.Addr().String(), nil
}

// deadWorld has upstreams that cannot be reached: nothing listens (refused), or
// something does and never says a word.
func deadWorld(trust *trust, silent bool) (*world, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	url := "https://" + listener.Addr().String()
	w := &world{authURL: url, apiURL: url, secretsURL: url, tableURL: url, busURL: url, trust: trust}
	w.stop = append(w.stop, func() { listener.Close() })
	if !silent {
		listener.Close()
	}
	return w, nil
}
