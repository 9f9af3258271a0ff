package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// built are the functions as they ship, by their directories.
var built = map[string]string{}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "watch")
	for _, path := range sources() {
		name := filepath.Base(filepath.Dir(path))
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

func sources() []string {
	paths, _ := filepath.Glob("../../functions/*/main.go")
	return paths
}

// stack is the name of the deployment, as long as most have.
const stack = "didit-sessions-staging"

// world is a deployment: one stage, and the functions that were invoked on it.
type world struct {
	*stage.Stage
	env     map[string]string
	timeout time.Duration // of functions started from now on; 0: none that a test meets
	ago     time.Duration // how long ago Didit sent what deliver delivers
	own     int           // writes to the table by the test
	running map[string]*lambdatest.Function
	started []process
	access  []string // lines of the API's log
	reports map[string][]string
	runs    map[string][]float64 // errors, 0 or 1, of each invocation, by function
}

// process is a function that was started, by the directory of its sources.
type process struct {
	*lambdatest.Function
	name string
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
	w := &world{Stage: s, env: s.Environment(), running: map[string]*lambdatest.Function{}, reports: map[string][]string{}, runs: map[string][]float64{}}
	w.env["STACK_NAME"] = stack
	w.env["AWS_MAX_ATTEMPTS"] = "1"
	maps.Copy(w.env, env)
	return w
}

// function returns the running function, and starts it if it is not.
func (w *world) function(t *testing.T, name string) *lambdatest.Function {
	t.Helper()
	if f := w.running[name]; f != nil {
		return f
	}
	f, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: built[name], Env: w.env, Timeout: w.timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Stop() })
	w.running[name] = f
	w.started = append(w.started, process{f, name})
	return f
}

// invoke invokes the function as Lambda does, which counts errors and writes a line about each
// invocation that failed.
func (w *world) invoke(t *testing.T, name string, payload []byte) (lambdatest.Result, error) {
	t.Helper()
	r, err := w.function(t, name).Invoke(t.Context(), payload)
	status, kind := "error", r.ErrorType
	if timeout := (*lambdatest.TimeoutError)(nil); errors.As(err, &timeout) {
		status, kind = "timeout", "Sandbox.Timedout"
	} else if err != nil {
		kind = "Runtime.ExitError"
	}
	failed := 0.0
	if err != nil || r.Failed() {
		failed = 1
		w.reports[name] = append(w.reports[name], fmt.Sprintf(`{"type":"platform.report","record":{"status":%q,"errorType":%q}}`, status, kind))
	}
	w.runs[name] = append(w.runs[name], failed)
	return r, err
}

func (w *world) call(t *testing.T, name string, payload []byte) lambdatest.Result {
	t.Helper()
	r, err := w.invoke(t, name, payload)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// http invokes the function as API Gateway does, which writes a line about each request, and
// returns the status of the answer.
func (w *world) http(t *testing.T, name, route string, payload []byte) int {
	t.Helper()
	answer, err := w.call(t, name, payload).HTTP()
	if err != nil {
		t.Fatal(err)
	}
	w.answered(route, fmt.Sprint(answer.Status), "200")
	return answer.Status
}

// answered adds a line to the API's log.
func (w *world) answered(route, status, lambdaStatus string) {
	w.access = append(w.access, fmt.Sprintf(`{"route":%q,"status":%q,"lambdaStatus":%q}`, route, status, lambdaStatus))
}

// watched returns what CloudWatch has of it all, queues apart.
func (w *world) watched(t *testing.T) *cloudWatch {
	t.Helper()
	cw := newCloudWatch(t)
	groups := map[string]string{}
	for id, f := range cw.filters {
		if f.LogGroupName == "" || len(f.MetricTransformations) == 0 {
			t.Fatalf("%s: got %+v", id, f)
		}
		groups[strings.ToLower(f.LogGroupName)] = f.LogGroupName
	}
	for _, p := range w.started {
		for _, line := range p.LogLines() {
			cw.log(t, groups[p.name+"loggroup"], line)
		}
	}
	for name, lines := range w.reports {
		for _, line := range lines {
			cw.log(t, cmp.Or(groups[name+"loggroup"], "no group has a filter"), line)
		}
	}
	for _, line := range w.access {
		cw.log(t, "ApiLogGroup", line)
		status := 0.0
		if strings.Contains(line, `"status":"5`) {
			status = 1
		}
		cw.add("AWS/ApiGateway 5xx ApiId=Api", status)
		cw.add("AWS/ApiGateway Count ApiId=Api", 1)
	}
	for _, failed := range w.runs["reconcile"] {
		cw.add("AWS/Lambda Errors FunctionName=ReconcileFunction", failed)
	}
	return cw
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
