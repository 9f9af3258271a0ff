package main

import (
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// newPrepared is a function whose init phase went undisturbed, or met the faults.
func newPrepared(t *testing.T, secret string, env map[string]string, faults ...didittest.Fault) *world {
	t.Helper()
	w := newUpstreams(t)
	w.secrets.Set(secretID, secret)
	for _, f := range faults {
		w.didit.Inject(f)
	}
	w.start(t, lambdatest.Options{}, env)
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// Ensure that the init phase does the waiting: the first call makes one request, over a connection
// that is open.
func TestPrepared(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			tokens := 1
			if k.usesKey() {
				tokens = 0
			}
			w, proxy := k.prepared(t)
			if got := w.didit.Count(didittest.OpToken); w.secrets.Calls() != 1 || got != tokens || proxy.connections() != 1 || w.didit.Count(didittest.OpCreate) != 0 {
				t.Errorf("init: got %d reads, %d token requests, %d connections, want 1, %d, 1", w.secrets.Calls(), got, proxy.connections(), tokens)
			}
			begin := w.StartedAt()
			r := w.invoke(t, []byte(anonymous))
			if r.Failed() {
				t.Errorf("got %q %s", r.ErrorType, r.ErrorMessage)
			}
			connections := proxy.connections()
			if r.AnsweredAt.Sub(begin) > trusted {
				connections = 1 // it was idle for too long on a busy machine, and another was opened
			}
			if got := w.didit.Count(didittest.OpToken); w.secrets.Calls() != 1 || got != tokens || connections != 1 || w.didit.Count(didittest.OpCreate) != 1 {
				t.Errorf("first call: got %d reads, %d token requests, %d connections, want 1, %d, 1", w.secrets.Calls(), got, connections, tokens)
			}
		})
	}
}

// warmLimit is when the init phase stops waiting.
const warmLimit = 2 * time.Second

// prepared is a function whose init phase was done with everything before it had to stop, with the
// proxy before its session API. A busy machine may need several.
func (k kind) prepared(t *testing.T) (*world, *proxy) {
	t.Helper()
	for range 10 {
		w := newUpstreams(t)
		w.secrets.Set(secretID, k.secret)
		api := newProxy(t, w.didit.URL())
		w.start(t, lambdatest.Options{}, map[string]string{"DIDIT_API_VERSION": k.version, "DIDIT_API_URL": api.url()})
		took, err := w.WaitReady(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took < warmLimit {
			api.awaitFirst(t)
			return w, api
		}
		w.Stop()
	}
	t.Fatalf("no init phase ended in less than %v", warmLimit)
	return nil, nil
}

// Ensure that an init phase which meets trouble still ends, and that the first call mends it.
func TestPrepared_trouble(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]didittest.Fault{
		"refused":   {On: didittest.OpToken, Status: 401, Body: `{"error":"invalid_client"}`},
		"down":      didittest.ServerError.At(didittest.OpToken),
		"throttled": didittest.RateLimited.At(didittest.OpToken),
		"broken":    {On: didittest.OpToken, Status: 200, Body: `{`},
		"silent":    {On: didittest.OpAny, Mode: didittest.ModeSilence},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPrepared(t, pairSecret, nil, fault)
			w.didit.ClearFaults()
			if r := w.invoke(t, []byte(named)); r.Failed() || len(w.didit.Sessions()) != 1 {
				t.Errorf("got %q %s, %d sessions\n%s", r.ErrorType, r.ErrorMessage, len(w.didit.Sessions()), w.Logs())
			}
		})
	}
}

// Ensure that a connection which was opened ahead, and has died since, costs the first call nothing
// but another one.
func TestPrepared_frozen(t *testing.T) {
	t.Parallel()
	for _, how := range []death{closed, reset} {
		w, api := kinds[0].prepared(t)
		if err := w.Freeze(); err != nil {
			t.Fatal(err)
		}
		if got := api.end(how); got != 1 {
			t.Errorf("%s: got %d connections opened ahead, want 1", how, got)
		}
		if err := w.Thaw(); err != nil {
			t.Fatal(err)
		}
		if r := w.invoke(t, []byte(anonymous)); r.Failed() || api.connections() != 2 || len(w.didit.Sessions()) != 1 {
			t.Errorf("%s: got %q %s, %d connections, %d sessions", how, r.ErrorType, r.ErrorMessage, api.connections(), len(w.didit.Sessions()))
		}
	}
}

// Ensure that an init phase in which nobody answers ends by itself, long before Lambda ends it, and
// that it leaves no request behind that a freeze would cut in two.
func TestPrepared_ends(t *testing.T) {
	t.Parallel()
	w := newUpstreams(t)
	auth := newProxy(t, w.didit.URL())
	w.didit.Inject(didittest.Fault{On: didittest.OpToken, Mode: didittest.ModeSilence})
	w.start(t, lambdatest.Options{}, map[string]string{"DIDIT_AUTH_URL": auth.url()})
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := w.didit.Count(didittest.OpToken)
	w.didit.ClearFaults()
	if r := w.invoke(t, []byte(named)); r.Failed() || w.didit.Count(didittest.OpToken) != asked+1 {
		t.Errorf("got %q %s, %d token requests after the %d of the init phase, want 1", r.ErrorType, r.ErrorMessage, w.didit.Count(didittest.OpToken)-asked, asked)
	}
}
