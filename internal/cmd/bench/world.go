package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

const secretID = "bench/didit"

// world is everything that a function talks to, at a distance: the Didit
// simulator under the two names that Didit has, and Secrets Manager, each behind
// TLS (1.3, with HTTP/2 on offer) and a proxy that delays.
type world struct {
	didit   *didittest.Server
	secrets *lambdatest.SecretsManager

	authURL, apiURL, awsURL string
	token                   string // an access token that Didit accepts

	trust *trust
	stop  []func()
}

func newWorld(ctx context.Context, trust *trust, d distance) (*world, error) {
	w := &world{didit: &didittest.Server{}, secrets: &lambdatest.SecretsManager{}, trust: trust}
	w.stop = append(w.stop, w.didit.Close)
	w.secrets.Set(secretID, `{"client_id":"`+didittest.DefaultClientID+`","client_secret":"`+didittest.DefaultClientSecret+`"}`)
	if err := w.start(ctx, d); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) start(ctx context.Context, d distance) error {
	didit, err := w.serve(w.didit)
	if err != nil {
		return err
	}
	aws, err := w.serve(w.secrets)
	if err != nil {
		return err
	}
	for _, upstream := range []struct {
		url       *string
		target    string
		roundTrip time.Duration
	}{{&w.authURL, didit, d.didit}, {&w.apiURL, didit, d.didit}, {&w.awsURL, aws, d.aws}} {
		p, err := listenProxy(upstream.target, upstream.roundTrip)
		if err != nil {
			return err
		}
		w.stop = append(w.stop, p.Close)
		*upstream.url = "https://" + p.Addr()
	}
	w.token, err = buyToken(ctx, "https://"+didit, w.trust)
	return err
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

// buyToken gets the access token that a floor is given.
func buyToken(ctx context.Context, diditURL string, trust *trust) (string, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust.pool, MinVersion: tls.VersionTLS13}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, diditURL+"/auth/v2/token/", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(didittest.DefaultClientID, didittest.DefaultClientSecret)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("the simulator sold no token: %w", err)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("the simulator sold no token: status %d", response.StatusCode)
	}
	return answer.Token, nil
}

// deadWorld has upstreams that cannot be reached: nothing listens (refused), or
// something does and never says a word.
func deadWorld(trust *trust, silent bool) (*world, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	url := "https://" + listener.Addr().String()
	w := &world{authURL: url, apiURL: url, awsURL: url, trust: trust}
	w.stop = append(w.stop, func() { listener.Close() })
	if !silent {
		listener.Close()
	}
	return w, nil
}
