package stagetest

import (
	"cmp"
	"maps"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// World is a function with everything around it, for the time of a test.
type World struct {
	*stage.Stage
	*lambdatest.Function

	extraFields bool // the function takes fields that openapi.yaml cannot know
}

// New returns a world whose function was started with the options; see [World.Start].
func New(t testing.TB, options lambdatest.Options) *World {
	t.Helper()
	w := NewIdle(t)
	w.Start(t, options)
	return w
}

// NewUnprepared is [New] for a function whose init phase is denied all of AWS, so that its first
// invocation does all the work. It waits for the end of that phase, and forgets what was asked in
// it.
func NewUnprepared(t testing.TB, options lambdatest.Options) *World {
	t.Helper()
	w := NewIdle(t)
	services := []interface {
		Fail(fault awsfake.Fault, n int)
		ClearFaults()
		ForgetCalls()
	}{w.Secrets, w.Table, w.Bus}
	for _, s := range services {
		s.Fail(awsfake.AccessDenied, awsfake.UntilCleared)
	}
	w.Start(t, options)
	// Some tests are about functions that fail to start.
	_, _ = w.WaitReady(t.Context())
	for _, s := range services {
		s.ClearFaults()
		s.ForgetCalls()
	}
	return w
}

// NewIdle returns a world whose function is not started yet.
func NewIdle(t testing.TB) *World {
	t.Helper()
	s, err := stage.New()
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &World{Stage: s}
}

// Start starts the function as it ships, or options.Binary if it is set. options.Env is added to
// the stage's environment and wins over it.
func (w *World) Start(t testing.TB, options lambdatest.Options) {
	t.Helper()
	env := w.Environment()
	maps.Copy(env, options.Env)
	w.extraFields = env["EXTRA_FIELDS"] != ""
	options.Binary, options.Name, options.Env = cmp.Or(options.Binary, Binary(t)), function, env
	var err error
	if w.Function, err = lambdatest.Start(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop() })
}

// OneAttempt makes the AWS SDK retry nothing, so that a service that fails is noticed at once.
var OneAttempt = map[string]string{"AWS_MAX_ATTEMPTS": "1"}

// Call invokes the function, and fails the test if it gives no answer at all. An answer for API
// Gateway must be one that openapi.yaml describes.
func (w *World) Call(t *testing.T, payload []byte) lambdatest.Result {
	t.Helper()
	r, err := w.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Logs())
	}
	w.checkAnswer(t, payload, r)
	return r
}

// HTTP is Call for a payload of API Gateway.
func (w *World) HTTP(t *testing.T, payload []byte) awsfake.HTTPAnswer {
	t.Helper()
	a, err := w.Call(t, payload).HTTP()
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Logs())
	}
	return a
}

// Writes returns how many writes have reached the table, refused ones included.
func (w *World) Writes() int {
	return w.Table.Calls("UpdateItem") + w.Table.Calls("PutItem") + w.Table.Calls("DeleteItem")
}
