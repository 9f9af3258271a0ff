package main

import (
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// newPrepared starts a function whose init phase meets the faults, if any.
func newPrepared(t *testing.T, secret string, env map[string]string, faults ...didittest.Fault) *world {
	t.Helper()
	w := newIdle(t)
	w.Secrets.Set(stage.SecretID, secret)
	for _, f := range faults {
		w.Didit.Inject(f)
	}
	w.start(t, lambdatest.Options{Env: env})
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// Ensure that waiting happens during init: the first call makes one request, over an open
// connection.
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
			if got := w.Didit.Count(didittest.OpToken); w.Secrets.Calls("") != 1 || got != tokens || proxy.connections() != 1 || w.Didit.Count(didittest.OpCreate) != 0 {
				t.Errorf("init: got %d reads, %d token requests, %d connections, want 1, %d, 1", w.Secrets.Calls(""), got, proxy.connections(), tokens)
			}
			begin := w.StartedAt()
			r := w.Call(t, []byte(anonymous))
			if r.Failed() {
				t.Errorf("got %q %s", r.ErrorType, r.ErrorMessage)
			}
			connections := proxy.connections()
			if r.AnsweredAt.Sub(begin) > trusted {
				connections = 1 // it was idle for too long on a busy machine, and another was opened
			}
			if got := w.Didit.Count(didittest.OpToken); w.Secrets.Calls("") != 1 || got != tokens || connections != 1 || w.Didit.Count(didittest.OpCreate) != 1 {
				t.Errorf("first call: got %d reads, %d token requests, %d connections, want 1, %d, 1", w.Secrets.Calls(""), got, connections, tokens)
			}
		})
	}
}

// warmLimit is when the init phase stops waiting.
const warmLimit = 2 * time.Second

// prepared starts a function that finishes its init phase in time, with a proxy in front of the
// session API. On a busy machine it may take several attempts.
func (k kind) prepared(t *testing.T) (*world, *proxy) {
	t.Helper()
	for range 10 {
		w := newIdle(t)
		w.Secrets.Set(stage.SecretID, k.secret)
		api := newProxy(t, w.Didit.URL())
		w.start(t, lambdatest.Options{Env: map[string]string{"DIDIT_API_VERSION": k.version, "DIDIT_API_URL": api.url()}})
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

// Ensure that the init phase ends although something fails in it, and that the first call makes up
// for it.
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
			w := newPrepared(t, stage.PairSecret, nil, fault)
			w.Didit.ClearFaults()
			if r := w.Call(t, []byte(named)); r.Failed() || len(w.Didit.Sessions()) != 1 {
				t.Errorf("got %q %s, %d sessions\n%s", r.ErrorType, r.ErrorMessage, len(w.Didit.Sessions()), w.Logs())
			}
		})
	}
}

// Ensure that if a connection that init opened has ended, the first call only opens another one.
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
		if r := w.Call(t, []byte(anonymous)); r.Failed() || api.connections() != 2 || len(w.Didit.Sessions()) != 1 {
			t.Errorf("%s: got %q %s, %d connections, %d sessions", how, r.ErrorType, r.ErrorMessage, api.connections(), len(w.Didit.Sessions()))
		}
	}
}

// Ensure that an init phase without any answers ends by itself, long before Lambda ends it, and
// leaves no request behind that a freeze would interrupt.
func TestPrepared_ends(t *testing.T) {
	t.Parallel()
	w := newIdle(t)
	auth := newProxy(t, w.Didit.URL())
	w.Didit.Inject(didittest.Fault{On: didittest.OpToken, Mode: didittest.ModeSilence})
	w.start(t, lambdatest.Options{Env: map[string]string{"DIDIT_AUTH_URL": auth.url()}})
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := w.Didit.Count(didittest.OpToken)
	w.Didit.ClearFaults()
	if r := w.Call(t, []byte(named)); r.Failed() || w.Didit.Count(didittest.OpToken) != asked+1 {
		t.Errorf("got %q %s, %d token requests after the %d of the init phase, want 1", r.ErrorType, r.ErrorMessage, w.Didit.Count(didittest.OpToken)-asked, asked)
	}
}
