package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// world makes one without a round trip, and the trust that goes with it.
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

// Ensure that the bundle is as large as a system's and that it, and nothing else, opens the upstreams,
// over the protocols of today.
func TestWorld_tls(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	env := w.environment(map[string]string{"OWN": "x"})
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
	if env["OWN"] != "x" {
		t.Errorf("got %v", env)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	for _, test := range []struct {
		url   string
		http2 bool
		want  string
	}{
		{w.apiURL, true, "HTTP/2.0"}, {w.apiURL, false, "HTTP/1.1"},
		{w.authURL, true, "HTTP/2.0"}, {w.awsURL, true, "HTTP/2.0"},
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
	if response, err := strangers.Get(w.apiURL); err == nil {
		response.Body.Close()
		t.Error("a client that trusts nobody got an answer")
	}
}

func TestMadeUpBundle(t *testing.T) {
	t.Parallel()
	bundle, err := madeUpBundle(3)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) || strings.Count(string(bundle), "BEGIN CERTIFICATE") != 3 {
		t.Errorf("got %s", bundle)
	}
}

// Ensure that the floor gets what the function gets, and that an answer other than the one wanted is
// an error and no figure.
func TestFloor(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	f := functions[0]
	payload, err := os.ReadFile(filepath.Join("../../../events", f.event))
	if err != nil {
		t.Fatal(err)
	}
	s := side{name: "floor", binary: filepath.Join(t.TempDir(), "floor"), payload: payload, status: f.status, env: f.floorEnv}
	if err := lambdatest.Build(t.Context(), f.floor, s.binary); err != nil {
		t.Fatal(err)
	}
	var got times
	if err := coldStart(t.Context(), s, w, &got); err != nil || len(got.cold) != 1 {
		t.Errorf("got %v, %v", got.cold, err)
	}
	if got := w.didit.Count(didittest.OpCreate); got != 1 {
		t.Errorf("Didit got %d requests for a session", got)
	}
	w.token = "unknown"
	got = times{}
	if err := coldStart(t.Context(), s, w, &got); err == nil || !strings.Contains(err.Error(), "status 403, want 201") || len(got.cold) > 0 {
		t.Errorf("with a wrong token: got %v, %v; want a refusal named", got.cold, err)
	}
}
