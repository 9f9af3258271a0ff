package watch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// built are the functions of a session's life, as they ship, by their directories.
var built = map[string]string{"createsession": "", "getsession": "", "webhook": "", "trackstatus": "", "awaitdecision": "", "reconcile": ""}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "watch")
	for name := range built {
		if built[name] = filepath.Join(dir, name); err == nil {
			err = lambdatest.Build(context.Background(), "./functions/"+name, built[name])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// stack is the name of the deployment, as long as most have.
const stack = "didit-sessions-staging"

// world is a deployment: one stage, and the functions that were invoked on it.
type world struct {
	*stage.Stage
	env     map[string]string
	running map[string]*lambdatest.Function
}

func newWorld(t *testing.T, env map[string]string) *world {
	t.Helper()
	s, err := stage.New()
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{Stage: s, env: s.Environment(), running: map[string]*lambdatest.Function{}}
	w.env["STACK_NAME"] = stack
	maps.Copy(w.env, env)
	return w
}

// function returns the running function, and starts it if it is not.
func (w *world) function(t *testing.T, name string) *lambdatest.Function {
	t.Helper()
	if f := w.running[name]; f != nil {
		return f
	}
	f, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: built[name], Env: w.env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Stop() })
	w.running[name] = f
	return f
}

func (w *world) call(t *testing.T, name string, payload []byte) lambdatest.Result {
	t.Helper()
	f := w.function(t, name)
	r, err := f.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, f.Logs())
	}
	return r
}

// recorded is a payload of events/, after changes.
func recorded(t *testing.T, name string, changes ...string) []byte {
	t.Helper()
	payload, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(changes...).Replace(string(payload)))
}
