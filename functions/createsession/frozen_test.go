package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// slow skips a test that takes half a minute or longer in real time.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("SLOW_TESTS") == "" {
		t.Skip("waits for half a minute or longer; SLOW_TESTS=1 runs it")
	}
}

// Ensure that a connection that dies while the process is frozen costs a new connection, and
// neither an error nor a second session, with and without vendor data.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for _, row := range []freeze{{how: closed, named: true}, {how: closed}, {how: reset, named: true}, {how: reset}} {
		t.Run(row.String(), func(t *testing.T) {
			t.Parallel()
			f := row.begin(t)
			for range 10 {
				f.freezeAll(t)
				f.thaw(t)
				f.wantSession(t)
			}
		})
	}
}

// Ensure that after a freeze of two seconds a lost connection costs at most one attempt if the
// request may be repeated, and that no second session is created if it may not.
func TestFrozen_twoSeconds(t *testing.T) {
	t.Parallel()
	testFreezes(t, 2*time.Second, []freeze{
		{how: closed, named: true}, {how: closed}, {how: reset, named: true}, {how: reset},
		{how: closed, named: true, rotated: true}, {how: reset, rotated: true},
		{how: vanished, named: true, wasted: 1}, {how: vanished, lost: true},
	})
}

// Ensure that a connection that was lost more than five seconds ago is not used for a request that
// must not be repeated.
func TestFrozen_sixSeconds(t *testing.T) {
	t.Parallel()
	slow(t)
	testFreezes(t, 6*time.Second, []freeze{{how: closed}, {how: reset}, {how: vanished, named: true, wasted: 1}, {how: vanished}})
}

// Ensure that no connection is reused after a minute, whatever its state.
func TestFrozen_overAMinute(t *testing.T) {
	t.Parallel()
	slow(t)
	testFreezes(t, 62*time.Second, []freeze{
		{how: closed, named: true}, {how: closed}, {how: reset, named: true}, {how: reset},
		{how: vanished, named: true}, {how: vanished},
		{how: closed, rotated: true}, {how: reset, named: true, rotated: true}, {how: vanished, rotated: true},
	})
}

// testFreezes freezes a process for each row, all for the same time, in which all of their
// connections die. It waits in real time, because the process reads the wall clock.
func testFreezes(t *testing.T, wait time.Duration, rows []freeze) {
	t.Helper()
	all := make([]*frozen, len(rows))
	for i, row := range rows {
		all[i] = row.begin(t)
		all[i].freezeAll(t)
	}
	<-time.After(wait)
	// The last one first and one at a time, because its connection is the youngest.
	for i, row := range slices.Backward(rows) {
		t.Run(row.String(), func(t *testing.T) {
			f := all[i]
			f.thaw(t)
			if row.lost && !f.wantNone(t) {
				return
			}
			f.wantSession(t)
		})
	}
}

// freeze describes what happens during a freeze, and the kind of caller.
type freeze struct {
	how     death
	named   bool // the caller sends vendor data
	rotated bool // the secret, too
	wasted  int  // requests that run into a connection that looks alive, and are repeated
	lost    bool // the request runs into such a connection, and must not be repeated
}

func (f freeze) String() string {
	words := []string{string(f.how), "anonymous"}
	if f.named {
		words[1] = "named"
	}
	if f.rotated {
		words = append(words, "rotated")
	}
	return strings.Join(words, ", ")
}

// frozen is a world with a proxy in front of each service.
type frozen struct {
	*world
	freeze
	api, auth, store        *proxy
	calls                   int // that made a session
	connections             int // to the session API, before the freeze
	tokenLinks, secretLinks int // connections for them, before the freeze
	answered                time.Time
}

// lostTimeout is the timeout of the rows with lost connections. Half of it is left for the next
// attempt.
const lostTimeout = 6 * time.Second

// trusted is how long a connection may have been idle for a request that must not be repeated.
const trusted = 5 * time.Second

// begin starts a function and makes the first call.
func (f freeze) begin(t *testing.T) *frozen {
	t.Helper()
	w := newIdle(t)
	z := &frozen{world: w, freeze: f, api: newProxy(t, w.Didit.URL()), auth: newProxy(t, w.Didit.URL()), store: newProxy(t, w.Secrets.URL())}
	options := lambdatest.Options{}
	if f.how == vanished {
		options.Timeout, options.Grace = lostTimeout, time.Minute
	}
	options.Env = map[string]string{
		"DIDIT_API_URL": z.api.url(), "DIDIT_AUTH_URL": z.auth.url(), "AWS_ENDPOINT_URL_SECRETS_MANAGER": z.store.url(),
	}
	w.startUnprepared(t, options)
	z.call(t)
	return z
}

// call creates a session for a new end user.
func (z *frozen) call(t *testing.T) lambdatest.Result {
	t.Helper()
	body := anonymous
	if z.named {
		body = fmt.Sprintf(`{"vendor_data":"user-%d"}`, z.calls)
	}
	r := z.Call(t, []byte(body))
	z.answered = r.AnsweredAt
	return r
}

// freezeAll freezes the process and ends its connections.
func (z *frozen) freezeAll(t *testing.T) {
	t.Helper()
	z.calls++
	if err := z.Freeze(); err != nil {
		t.Fatal(err)
	}
	z.connections, z.tokenLinks, z.secretLinks = z.api.connections(), z.auth.connections(), z.store.connections()
	if got := z.api.end(z.how); got != 1 {
		t.Errorf("got %d connections to the session API, want 1", got)
	}
	z.auth.end(z.how)
	z.store.end(z.how)
	if z.rotated {
		z.Didit.SetCredentials("new-id", "new-secret", "new-key")
		z.Secrets.Set(stage.SecretID, `{"client_id":"new-id","client_secret":"new-secret"}`)
	}
}

func (z *frozen) thaw(t *testing.T) {
	t.Helper()
	if err := z.Thaw(); err != nil {
		t.Fatal(err)
	}
}

// wantSession makes a call, which must get one session over one new connection.
func (z *frozen) wantSession(t *testing.T) {
	t.Helper()
	refused := 0
	if z.rotated {
		refused = 1
	}
	creates := z.Didit.Count(didittest.OpCreate)
	if r := z.call(t); r.Failed() {
		t.Fatalf("call %d: got %q %s, %d connections for tokens, %d for secrets, %d reads\n%s", z.calls, r.ErrorType, r.ErrorMessage,
			z.auth.connections(), z.store.connections(), z.reads(), z.Logs())
	}
	if got := z.Didit.Count(didittest.OpCreate) - creates; got != 1+refused {
		t.Errorf("call %d: Didit got %d requests, want %d", z.calls, got, 1+refused)
	}
	if got := len(z.Didit.Sessions()); got != z.calls+1 {
		t.Errorf("call %d: got %d sessions in all, want %d", z.calls, got, z.calls+1)
	}
	if got := z.api.connections() - z.connections; got != 1 {
		t.Errorf("call %d: got %d new connections to the session API, want 1", z.calls, got)
	}
	// If the end of a connection is noticed only while it is used, that costs an attempt.
	if got, want := z.attempts(t), 1+z.wasted+2*refused; z.how == vanished && got != want || got > want+1 {
		t.Errorf("call %d: got %d requests sent, want %d", z.calls, got, want)
	}
	z.wasted = 0
	if auth, store := z.auth.connections()-z.tokenLinks, z.store.connections()-z.secretLinks; auth != refused || store != refused {
		t.Errorf("call %d: got %d new connections for tokens and %d for secrets, want %d each", z.calls, auth, store, refused)
	}
}

// attempts returns how many requests to Didit the last call made, according to its log line.
func (z *frozen) attempts(t *testing.T) int {
	t.Helper()
	lines := z.LogLines()
	var line struct {
		Attempts int `json:"attempts"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatal(err)
	}
	return line.Attempts
}

// wantNone makes a call whose request is lost and must not be repeated. It reports whether the
// request was lost: on a busy machine the connection may have been idle too long to be reused, and
// then there is one session over a new one.
func (z *frozen) wantNone(t *testing.T) bool {
	t.Helper()
	answered := z.answered
	r := z.call(t)
	if idle := r.AnsweredAt.Sub(answered); !r.Failed() && idle > trusted {
		if sessions, connections := len(z.Didit.Sessions()), z.api.connections(); sessions != z.calls+1 || connections != z.connections+1 {
			t.Errorf("got %d sessions over %d connections, want %d over %d", sessions, connections, z.calls+1, z.connections+1)
		}
		return false
	}
	if r.ErrorType != "DiditTimeout" || !strings.Contains(r.ErrorMessage, "unknown") {
		t.Errorf("got %q %s, want DiditTimeout, and that the outcome is unknown", r.ErrorType, r.ErrorMessage)
	}
	if sessions, connections := len(z.Didit.Sessions()), z.api.connections(); sessions != z.calls || connections != z.connections {
		t.Errorf("got %d sessions over %d connections, want %d over %d", sessions, connections, z.calls, z.connections)
	}
	return true
}
