package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// localWorld is a world that the tool finds as the system of make run, in this process and with a
// clock of its own.
type localWorld struct {
	*world
	port  string
	mu    sync.Mutex
	time  time.Time
	waits []time.Duration
}

func newLocalWorld(t *testing.T) *localWorld {
	t.Helper()
	l := &localWorld{world: newWorld(t, newAccount(t)), time: time.Now()}
	l.world.clock = l.now
	l.secrets[didArn] = `{"api_key":"` + didKey + `"}`
	m := http.NewServeMux()
	m.HandleFunc("GET /local/deployment", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"webhook_url": l.hook, "didit_url": l.url, "workflow_ids": []string{didittest.DefaultWorkflow.ID}, "allowed_callbacks": []string{"myapp://"},
		})
	})
	ids := map[string]string{"didit": didArn, "webhook": hookArn}
	m.HandleFunc("GET /local/secrets/{name}", func(w http.ResponseWriter, r *http.Request) {
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		_, _ = io.WriteString(w, l.secrets[ids[r.PathValue("name")]])
	})
	m.HandleFunc("PUT /local/secrets/{name}", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		l.secrets[ids[r.PathValue("name")]] = string(text)
	})
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l.port = u.Port()
	return l
}

func (l *localWorld) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.time
}

// ops runs a command and returns what it printed, and its status.
func (l *localWorld) ops(t *testing.T, args ...string) (output string, status int) {
	t.Helper()
	return l.opsWith(t, nil, args...)
}

// opsWith has variables beside.
func (l *localWorld) opsWith(t *testing.T, variables map[string]string, args ...string) (output string, status int) {
	t.Helper()
	var out bytes.Buffer
	c := l.console(&out, variables)
	status = run(t.Context(), args, c)
	for _, secret := range append(l.destinationSecrets(), secretMarker) {
		if secret != "" && bytes.Contains(out.Bytes(), []byte(secret)) {
			t.Errorf("%q: a secret was printed: %s", args, out.String())
		}
	}
	return out.String(), status
}

// console is one without a terminal, by the world's clock.
func (l *localWorld) console(out io.Writer, variables map[string]string) *console {
	c := &console{timing: unhurried, in: new(bytes.Buffer), out: out, err: out, getenv: func(name string) string {
		if value, ok := variables[name]; ok {
			return value
		}
		return map[string]string{"CI": "true", "ENV": "local", "PORT": l.port}[name]
	}}
	c.clock = l.now
	c.sleep = func(_ context.Context, d time.Duration) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.time = l.time.Add(d)
		l.waits = append(l.waits, d)
		return nil
	}
	return c
}

// expect runs a command that must end with a status.
func (l *localWorld) expect(t *testing.T, status int, args ...string) string {
	t.Helper()
	got, is := l.ops(t, args...)
	if is != status {
		t.Fatalf("%q: status %d, want %d; output:\n%s", args, is, status, got)
	}
	return got
}
