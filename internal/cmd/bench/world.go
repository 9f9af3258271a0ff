package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

const (
	// systemBundle is where Debian keeps the certificates that it trusts.
	systemBundle = "/etc/ssl/certs/ca-certificates.crt"

	// bundleSize is about how many certificates a bundle holds. Reading them is part of a cold
	// start, so a machine without a bundle reads one certificate that often.
	bundleSize = 140

	// The session on record in every world, of the recorded requests in events/.
	recordedID    = "99999999-2222-3333-4444-555555555555"
	recordedOwner = "user-123"
)

// trust is a server's certificate for 127.0.0.1, and the environment of a process that trusts it
// beside all certificates that the system trusts.
type trust struct {
	server *tls.Config
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
		bundle, err = bytes.Repeat(authority.PEM(), bundleSize), nil
	}
	if err != nil {
		return nil, err
	}
	// At the end, so that all of the bundle must be read to find it.
	bundle = append(append(bundle, '\n'), authority.PEM()...)
	file, empty := filepath.Join(dir, "ca-bundle.crt"), filepath.Join(dir, "no-certificates")
	return &trust{
		server: &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS13},
		env:    map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": empty},
	}, errors.Join(os.WriteFile(file, bundle, 0o600), os.Mkdir(empty, 0o700))
}

// world is everything that a function talks to, at a distance: the services of a stage, with one
// session on record, each behind TLS (1.3, HTTP/2 offered) and a proxy that delays. Didit has two
// names, as in reality.
type world struct {
	*stage.Stage
	at    stage.Endpoints
	trust *trust
	stop  []func()

	processes int // that got a secret of their own
}

func newWorld(ctx context.Context, trust *trust, d distance) (*world, error) {
	s, err := stage.New()
	if err != nil {
		return nil, err
	}
	return openWorld(ctx, trust, d, s, s.Didit, s.Bus)
}

// openWorld is newWorld for a stage, of which didit and bus stand before two services.
func openWorld(ctx context.Context, trust *trust, d distance, s *stage.Stage, didit, bus http.Handler) (*world, error) {
	w := &world{Stage: s, trust: trust, stop: []func(){s.Close}}
	// At a final status, so that getsession does not ask Didit.
	recorded := verification.NewRecord(recordedID, recordedOwner, stage.Workflow, "Approved", time.Now().Add(-time.Hour))
	s.Store = stage.NewStore("http://table.invalid", handlerClient{s.Table})
	_, _, err := s.Store.Add(ctx, recorded)
	for _, upstream := range []struct {
		handler   http.Handler
		roundTrip time.Duration
		urls      []*string
	}{
		{didit, d.didit, []*string{&w.at.DiditAuth, &w.at.DiditAPI}},
		{s.Secrets, d.aws, []*string{&w.at.Secrets}},
		{s.Table, d.aws, []*string{&w.at.Table}},
		{bus, d.aws, []*string{&w.at.Bus}},
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

// serve serves the handler on loopback behind TLS, and behind a proxy for each of the URLs.
func (w *world) serve(handler http.Handler, roundTrip time.Duration, urls []*string) error {
	server, address, err := awsfake.Serve(handler, w.trust.server)
	if err != nil {
		return err
	}
	w.stop = append(w.stop, func() { server.Close() })
	for _, url := range urls {
		p, err := listenProxy(address, roundTrip)
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
	w := &world{at: stage.Endpoints{DiditAuth: url, DiditAPI: url, Secrets: url, Table: url, Bus: url}, trust: trust}
	w.stop = append(w.stop, func() { listener.Close() })
	if !silent {
		listener.Close()
	}
	return w, nil
}

// environment is that of a process of the function. Unless the function shares its access token,
// each process has a secret of its own name, and so finds no token in the table.
func (w *world) environment(f function) map[string]string {
	env := w.at.Environment()
	maps.Copy(env, w.trust.env)
	if !f.recording {
		delete(env, "TABLE_NAME")
	}
	if f.servers {
		env["CALLER_AUTH"] = "iam"
	}
	if !f.shared && w.Stage != nil {
		w.processes++
		env["DIDIT_SECRET_ID"] = fmt.Sprintf("didit-%d", w.processes)
		secret := stage.PairSecret
		if f.apiKey {
			secret = stage.KeySecret
		}
		w.Secrets.Set(env["DIDIT_SECRET_ID"], secret)
	}
	return env
}

// floorEnvironment is that of a floor's process.
func (w *world) floorEnvironment() map[string]string {
	env := maps.Clone(w.trust.env)
	maps.Copy(env, map[string]string{
		"SESSION_URL": w.at.DiditAPI + "/v2/session/", "API_KEY": didittest.DefaultAPIKey,
		"TABLE_URL": w.at.Table, "TABLE_NAME": stage.TableName,
		"BUS_URL": w.at.Bus, "EVENT_BUS_NAME": stage.BusName,
		"WEBHOOK_SECRET": stage.WebhookSecret,
	})
	return env
}
