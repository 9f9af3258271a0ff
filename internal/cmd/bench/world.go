package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

const (
	// systemBundle is where Debian keeps the certificates that it trusts.
	systemBundle = "/etc/ssl/certs/ca-certificates.crt"

	// bundleSize is about how many certificates a bundle holds. A machine without one gets that
	// many generated ones, because reading them is part of a cold start.
	bundleSize = 140

	// The session on record in every world, of the recorded requests in events/.
	recordedID    = "99999999-2222-3333-4444-555555555555"
	recordedOwner = "user-123"
)

// trust is a certificate for 127.0.0.1, and the environment of a process that trusts it beside all
// certificates that the system trusts.
type trust struct {
	server tls.Certificate
	pool   *x509.CertPool // holds the authority alone
	env    map[string]string
}

// newTrust writes the bundle into dir, which must outlive the processes.
func newTrust(dir string) (*trust, error) {
	authority, err := lambdatest.NewAuthority("Bench CA")
	if err != nil {
		return nil, err
	}
	server, err := authority.Issue("127.0.0.1")
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(systemBundle)
	if errors.Is(err, fs.ErrNotExist) {
		bundle, err = generateBundle(bundleSize)
	}
	if err != nil {
		return nil, err
	}
	// At the end, so that all of the bundle must be read to find it.
	bundle = append(append(bundle, '\n'), authority.PEM()...)
	file, empty := filepath.Join(dir, "ca-bundle.crt"), filepath.Join(dir, "no-certificates")
	if err := errors.Join(os.WriteFile(file, bundle, 0o600), os.Mkdir(empty, 0o700)); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	return &trust{server, pool, map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": empty}}, nil
}

// generateBundle returns the certificates of n new authorities.
func generateBundle(n int) ([]byte, error) {
	var bundle bytes.Buffer
	for i := range n {
		a, err := lambdatest.NewAuthority(fmt.Sprintf("Generated CA %d", i))
		if err != nil {
			return nil, err
		}
		bundle.Write(a.PEM())
	}
	return bundle.Bytes(), nil
}

// world is everything that a function talks to, at a distance: the services of a stage, with one
// session on record, each behind TLS (1.3, HTTP/2 offered) and a proxy that delays. Didit has two
// names, as in reality.
type world struct {
	*stage.Stage
	authURL, apiURL, secretsURL, tableURL, busURL string

	token string // an access token that Didit accepts
	trust *trust
	stop  []func()
}

func newWorld(ctx context.Context, trust *trust, d distance) (*world, error) {
	s, err := stage.New()
	if err != nil {
		return nil, err
	}
	w := &world{Stage: s, trust: trust, stop: []func(){s.Close}}
	// At a final status, so that getsession does not ask Didit.
	recorded := verification.NewRecord(recordedID, recordedOwner, stage.Workflow, "Approved", time.Now().Add(-time.Hour))
	err = stage.NewStore("http://table.invalid", handlerClient{s.Table}).Add(ctx, recorded)
	if err == nil {
		w.token, err = requestToken(ctx, handlerClient{s.Didit})
	}
	for _, upstream := range []struct {
		handler   http.Handler
		roundTrip time.Duration
		urls      []*string
	}{
		{s.Didit, d.didit, []*string{&w.authURL, &w.apiURL}},
		{s.Secrets, d.aws, []*string{&w.secretsURL}},
		{s.Table, d.aws, []*string{&w.tableURL}},
		{s.Bus, d.aws, []*string{&w.busURL}},
	} {
		if err == nil {
			err = w.serve(upstream.handler, upstream.roundTrip, upstream.urls)
		}
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// handlerClient is an HTTP client of one handler.
type handlerClient struct{ http.Handler }

func (c handlerClient) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), nil
}

// requestToken gets the access token that a floor is given.
func requestToken(ctx context.Context, didit handlerClient) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/auth/v2/token/", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(didittest.DefaultClientID, didittest.DefaultClientSecret)
	response, _ := didit.Do(r)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("the simulator's answer has no token: status %d, %v", response.StatusCode, err)
	}
	return answer.Token, nil
}

// serve serves the handler on loopback behind TLS, and behind a proxy for each of the URLs.
func (w *world) serve(handler http.Handler, roundTrip time.Duration, urls []*string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{w.trust.server}, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: time.Minute,
		// Processes that end in the middle of an exchange are expected here.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(listener, "", "")
	w.stop = append(w.stop, func() { server.Close() })
	for _, url := range urls {
		p, err := listenProxy(listener.Addr().String(), roundTrip)
		if err != nil {
			return err
		}
		w.stop = append(w.stop, p.Close)
		*url = "https://" + p.Addr()
	}
	return nil
}

func (w *world) close() {
	for _, stop := range w.stop {
		stop()
	}
}

// unreachableWorld has upstreams that cannot be reached: either nothing listens, or (silent)
// connections are accepted and never answered.
func unreachableWorld(trust *trust, silent bool) (*world, error) {
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

// environment is that of a function's process. Without recording, createsession has no table.
func (w *world) environment(recording bool) map[string]string {
	env := maps.Clone(w.trust.env)
	maps.Copy(env, map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.secretsURL,
		"AWS_ENDPOINT_URL_DYNAMODB":        w.tableURL,
		"AWS_ENDPOINT_URL_EVENTBRIDGE":     w.busURL,
		"DIDIT_SECRET_ID":                  stage.SecretID,
		"DIDIT_WEBHOOK_SECRET_ID":          stage.WebhookSecretID,
		"DIDIT_AUTH_URL":                   w.authURL,
		"DIDIT_API_URL":                    w.apiURL,
		"WORKFLOW_IDS":                     stage.Workflow,
		"ALLOWED_CALLBACKS":                "https://example.com/verification",
		"EVENT_BUS_NAME":                   stage.BusName,
	})
	if recording {
		env["TABLE_NAME"] = stage.TableName
	}
	return env
}

// floorEnvironment is that of a floor's process.
func (w *world) floorEnvironment() map[string]string {
	env := maps.Clone(w.trust.env)
	maps.Copy(env, map[string]string{
		"SESSION_URL": w.apiURL + "/v2/session/", "TOKEN": w.token,
		"TABLE_URL": w.tableURL, "TABLE_NAME": stage.TableName,
		"BUS_URL": w.busURL, "EVENT_BUS_NAME": stage.BusName,
		"WEBHOOK_SECRET": stage.WebhookSecret,
	})
	return env
}
