package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// newTestWorld returns a world without a round trip.
func newTestWorld(t *testing.T) *world {
	t.Helper()
	trust, err := newTrust(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.Context(), trust, near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w
}

// Ensure that the bundle is as large as a system's and that it, and nothing else, opens the
// upstreams, over the protocols of today.
func TestWorld_tls(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	env := w.environment(function{recording: true})
	bundle, err := os.ReadFile(env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(bundle), "BEGIN CERTIFICATE"); got < 100 {
		t.Errorf("the bundle holds %d certificates", got)
	}
	if entries, err := os.ReadDir(env["SSL_CERT_DIR"]); err != nil || len(entries) > 0 {
		t.Errorf("SSL_CERT_DIR holds %v, %v; want nothing", entries, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	for _, test := range []struct {
		url   string
		http2 bool
		want  string
	}{
		{w.at.DiditAPI, true, "HTTP/2.0"}, {w.at.DiditAPI, false, "HTTP/1.1"},
		{w.at.DiditAuth, true, "HTTP/2.0"}, {w.at.Secrets, true, "HTTP/2.0"},
		{w.at.Table, true, "HTTP/2.0"}, {w.at.Bus, true, "HTTP/2.0"},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: test.http2}
		response, err := (&http.Client{Transport: transport}).Get(test.url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		transport.CloseIdleConnections()
		if response.Proto != test.want || response.TLS.Version != tls.VersionTLS13 {
			t.Errorf("got %s, TLS %x; want %s, TLS 1.3", response.Proto, response.TLS.Version, test.want)
		}
	}
	strangers := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}
	if response, err := strangers.Get(w.at.DiditAPI); err == nil {
		response.Body.Close()
		t.Error("a client that trusts no certificate got an answer")
	}
}

// build builds one side of a function.
func build(t *testing.T, f function, newSide func(*bench, context.Context, function) (*side, error)) *side {
	t.Helper()
	s, err := newSide(&bench{dir: t.TempDir(), plan: plan{lambdaArch: runtime.GOARCH}}, t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// requests counts requests of warm calls.
type requests struct{ creates, others, reads, writes, events int }

// common returns the requests that both have at least.
func (r requests) common(other requests) requests {
	return requests{min(r.creates, other.creates), min(r.others, other.others), min(r.reads, other.reads),
		min(r.writes, other.writes), min(r.events, other.events)}
}

func count(w *world) requests {
	creates, reads, writes := w.Didit.Count(didittest.OpCreate), w.Table.Calls("GetItem"), w.Table.Calls("UpdateItem")
	return requests{creates, w.Didit.Count(didittest.OpAny) - creates + w.Secrets.Calls("") + w.Table.Calls("") - reads - writes, reads, writes, w.Bus.Calls("")}
}

// warmRequests are those that every call makes once the process is warm. On a busy machine a
// request of the start may come in late, or a request may be retried, during one of the calls.
func warmRequests(t *testing.T, s *side) requests {
	t.Helper()
	w := newTestWorld(t)
	fn, err := s.start(t.Context(), w, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer fn.Stop()
	if _, err := s.call(t.Context(), fn, 1); err != nil {
		t.Fatal(err)
	}
	var every requests
	for i := range 5 {
		before := count(w)
		if _, err := s.call(t.Context(), fn, 1); err != nil {
			t.Fatal(err)
		}
		after := count(w)
		made := requests{after.creates - before.creates, after.others - before.others, after.reads - before.reads,
			after.writes - before.writes, after.events - before.events}
		if i == 0 {
			every = made
		}
		every = every.common(made)
	}
	return every
}

// Ensure that each function and its floor give the wanted answer, and make the requests that are
// meant to be measured and no others.
func TestSides(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]struct{ function, floor requests }{
		"createsession":           {requests{creates: 1}, requests{creates: 1}},
		"createsession-recording": {requests{creates: 1, writes: 1}, requests{creates: 1}},
		"createsession-user":      {requests{creates: 1, others: 1, writes: 1}, requests{creates: 1, others: 1}}, // one query of the owner's sessions
		"webhook":                 {requests{reads: 1, events: 1}, requests{reads: 1, events: 1}},
		"getsession":              {requests{reads: 1}, requests{reads: 1}},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			chosen, err := selectFunctions(functions, key)
			if err != nil {
				t.Fatal(err)
			}
			f := chosen[0]
			if got := warmRequests(t, build(t, f, (*bench).floorSide)); got != want.floor {
				t.Errorf("the floor makes %+v, want %+v", got, want.floor)
			}
			if testing.Short() {
				return // the function takes longer to build
			}
			if got := warmRequests(t, build(t, f, (*bench).functionSide)); got != want.function {
				t.Errorf("the function makes %+v, want %+v", got, want.function)
			}
		})
	}
}

// Ensure that an unexpected answer is an error, not a figure.
func TestSides_refused(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	w.Didit.SetCredentials("id", "secret", "another key")
	s := build(t, functions[0], (*bench).floorSide)
	err := coldStart(t.Context(), s, w, "near")
	if err == nil || !strings.Contains(err.Error(), "status 403") || len(s.samples["near/cold ms/op"]) > 0 {
		t.Errorf("with a wrong key: got %v, %v; want a refusal named", s.samples, err)
	}
}
