package stagetest

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// NewFront returns the URL of a server that passes all requests on to the origin, and counts the
// connections that were opened to it.
func NewFront(t *testing.T, origin string) (front string, connections *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	s := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, connections
}

// maxWarm is when the init phase of a function stops waiting.
const maxWarm = 2 * time.Second

// Recovered reports whether the function has logged an error that failed no call, as it does after
// a limit of its own.
func (w *World) Recovered() bool { return bytes.Contains(w.Logs(), []byte("recovered from an error")) }

// Prepared starts functions, each in a new world, and makes the first call of each once its init
// phase has ended, until that call opens no connection. On a busy machine some do, because
// connections were idle for too long, or the init phase met its limit. start starts a function, and
// returns the connections that are counted.
func Prepared(t *testing.T, start func() (*World, []*atomic.Int64), call func(*World)) *World {
	t.Helper()
	for range 20 {
		w, connections := start()
		took, err := w.WaitReady(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took < maxWarm && !w.Recovered() {
			before := sum(connections)
			call(w)
			if sum(connections) == before {
				return w
			}
		}
		w.Stop()
	}
	t.Fatalf("every first call opened connections")
	return nil
}

func sum(connections []*atomic.Int64) (total int64) {
	for _, c := range connections {
		total += c.Load()
	}
	return total
}
