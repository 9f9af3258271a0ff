package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// loadPlan says how much load there is.
type loadPlan struct {
	sessions   int           // at once
	lasts      time.Duration // new ones are begun so long
	think      time.Duration // how long an end user takes for each of two steps
	deliveries int           // of the second part
	broken     func(*load)   // for tests: breaks something once the functions run
}

var (
	fullLoad  = loadPlan{sessions: 200, lasts: 2 * time.Minute, think: 3 * time.Second, deliveries: 10_000}
	briefLoad = loadPlan{sessions: 50, lasts: 15 * time.Second, think: time.Second, deliveries: 500}
)

const (
	// maxHealing is how long a session may take: a lost delivery is noticed after a minute.
	maxHealing = 4 * time.Minute
	// maxTracking is how many events are recorded at once.
	maxTracking = 16
	// maxTries is how often a caller repeats a request that was answered with a failure that passes.
	maxTries = 30
	// faultEvery is how many requests to Didit, and deliveries, there are for each fault.
	faultEvery = 100
)

// load is the built functions as one system: createsession, webhook, getsession and trackstatus,
// one process of each, which may run as many invocations at once as there are sessions. Didit is 40
// ms away, one in a hundred of its answers is a fault, and one in a hundred of its deliveries is
// odd. An EventBridge in this process hands each event to trackstatus, and repeats what fails
// twice.
type load struct {
	plan     loadPlan
	world    *world
	fns      map[string]*lambdatest.Function
	events   map[string]map[string]any // payloads to fill in, by function
	requests atomic.Int64              // to Didit
	changes  atomic.Int64              // of a status

	handing sync.WaitGroup // events on their way to trackstatus
	// tracking bounds the calls of trackstatus at once. Lambda would start more processes; here they
	// share the processors with everything else.
	tracking chan struct{}
	mu       sync.Mutex
	figures  loadFigures
}

// loadFunctions are the functions under load, with the recorded payload that theirs are made from.
var loadFunctions = map[string]string{
	"createsession": "createsession-http-iam.json", "getsession": "getsession-http-iam.json",
	"webhook": "webhook-http-approved.json", "trackstatus": "trackstatus-direct-status.json",
}

// loadFaults are the faults of Didit, in turn.
var loadFaults = []didittest.Fault{
	{Status: 500}, didittest.RateLimited, {Mode: didittest.ModeResetBefore}, {Mode: didittest.ModeResetAfter}, {Status: 503},
	{Mode: didittest.ModeTruncated}, {Mode: didittest.ModeCutJSON}, {Mode: didittest.ModeSlow, Pause: 2 * time.Second},
}

// loadQuirks are the odd deliveries, in turn.
var loadQuirks = []didittest.Quirk{didittest.SendTwice, didittest.SendLate, didittest.SendNever, didittest.SendReworded}

// run drives the functions and returns what came of it. An error means that something was lost, or
// that an answer was outside the contract.
func (p *loadPlan) run(ctx context.Context, progress io.Writer) (*loadFigures, error) {
	l := &load{plan: *p, fns: map[string]*lambdatest.Function{}, events: map[string]map[string]any{}, tracking: make(chan struct{}, maxTracking)}
	l.figures = loadFigures{plan: *p, answers: map[string]int{}, memory: map[string]*memory{}}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return &l.figures, err
	}
	defer os.RemoveAll(dir)
	say := func(what string) { fmt.Fprintln(progress, "bench: load:", what) }
	say("building")
	if err := l.open(ctx, dir); err != nil {
		return &l.figures, err
	}
	defer l.world.close()
	for _, fn := range l.fns {
		defer fn.Stop()
	}
	if p.broken != nil {
		p.broken(l)
	}
	stop := l.watchMemory()
	say(fmt.Sprintf("%d sessions at once for %v", p.sessions, p.lasts))
	l.sessions(ctx)
	stop()
	say(fmt.Sprintf("%d deliveries in random order", p.deliveries))
	if err := l.deliveries(ctx); err != nil {
		return &l.figures, err
	}
	if wrong := l.figures.wrong; len(wrong) > 0 {
		return &l.figures, fmt.Errorf("%d things went wrong, of which the first is: %s", len(wrong), wrong[0])
	}
	return &l.figures, ctx.Err()
}

// open builds and starts the functions.
func (l *load) open(ctx context.Context, dir string) error {
	trust, err := newTrust(dir)
	if err != nil {
		return err
	}
	s, err := stage.New()
	if err != nil {
		return err
	}
	s.Didit.WebhookTransport, s.Didit.RetryWaits = transport(l.receive), []time.Duration{time.Second, 4 * time.Second}
	if err := s.Didit.SetWebhook("https://api.example.com/webhooks/didit", stage.WebhookSecret, ""); err != nil {
		return err
	}
	faulty := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := l.requests.Add(1); n%faultEvery == 0 {
			s.Didit.Inject(loadFaults[n/faultEvery%int64(len(loadFaults))].Once())
		}
		s.Didit.ServeHTTP(w, r)
	})
	if l.world, err = openWorld(ctx, trust, far, s, faulty, handOver{s.Bus, l.track}); err != nil {
		return err
	}
	root, err := lambdatest.ModuleRoot(ctx)
	for name, event := range loadFunctions {
		binary := filepath.Join(dir, name)
		err = cmp.Or(err, lambdatest.Build(ctx, "./functions/"+name, binary))
		text, readErr := os.ReadFile(filepath.Join(root, "events", event))
		var payload map[string]any
		if err = cmp.Or(err, readErr); err == nil {
			err = json.Unmarshal(text, &payload)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		l.events[name] = payload
		l.fns[name], err = lambdatest.Start(ctx, lambdatest.Options{
			Binary: binary, Name: name, MaxConcurrency: l.plan.sessions,
			Env: l.world.environment(function{recording: true, servers: true, shared: true}),
		})
	}
	return err
}

// sessions lets end users verify, each of them again and again, until the time is over.
func (l *load) sessions(ctx context.Context) {
	end := time.Now().Add(l.plan.lasts)
	var users sync.WaitGroup
	for user := range l.plan.sessions {
		users.Go(func() {
			// Users do not come all at once.
			pause(ctx, rand.N(l.plan.think+1))
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				l.session(ctx, fmt.Sprintf("load-%d-%d", user, n))
			}
		})
	}
	users.Wait()
	if err := l.world.Didit.Settle(ctx); err != nil {
		l.fail("webhooks that do not end: %v", err)
	}
	l.handing.Wait()
}

// session is one end user's verification, from the request for it to the final status.
func (l *load) session(ctx context.Context, vendorData string) {
	id := ""
	for try := 0; id == "" && ctx.Err() == nil; try++ {
		if try == maxTries {
			l.fail("%s got no session after %d requests", vendorData, maxTries)
			return
		}
		_, body := l.call(ctx, "createsession", map[string]any{
			"body": fmt.Sprintf(`{"workflow_id":%q,"vendor_data":%q}`, stage.Workflow, vendorData)}, http.StatusCreated, http.StatusOK)
		if id = body["session_id"]; id == "" {
			pause(ctx, 200*time.Millisecond)
		}
	}
	final := []string{"Approved", "Declined"}[rand.N(2)]
	for _, status := range []string{"In Progress", final} {
		pause(ctx, l.plan.think)
		if n := l.changes.Add(1); n%faultEvery == 0 {
			l.world.Didit.Misdeliver(loadQuirks[n/faultEvery%int64(len(loadQuirks))], 1)
		}
		if err := l.world.Didit.SetStatus(id, status); err != nil {
			l.fail("%s: %v", id, err)
		}
	}
	for limit := time.Now().Add(maxHealing); ctx.Err() == nil; pause(ctx, l.plan.think/2) {
		_, body := l.call(ctx, "getsession", map[string]any{
			"routeKey": "GET /sessions/{session_id}", "rawPath": "/sessions/" + id, "rawQueryString": "", "queryStringParameters": nil,
			"pathParameters": map[string]string{"session_id": id}}, http.StatusOK)
		switch {
		case body["status"] == final:
			l.count("verified")
			return
		case time.Now().After(limit):
			l.fail("session %s stays %s, and is %s at Didit", id, body["status"], final)
			return
		}
	}
}

// passing are the codes of failures that a caller can wait for, with their status.
var passing = map[string]int{"throttled": 503, "didit_unavailable": 503, "backend_unavailable": 503, "didit_timeout": 504}

// call invokes a function, and checks that it answers as the contract says: with one of those
// statuses, or with the problem of a failure that passes.
func (l *load) call(ctx context.Context, name string, members map[string]any, wanted ...int) (status int, body map[string]string) {
	payload := map[string]any{}
	for key, value := range l.events[name] {
		payload[key] = value
	}
	for key, value := range members {
		payload[key] = value
	}
	text, err := json.Marshal(payload)
	if err != nil {
		l.fail("%s: %v", name, err)
		return 0, nil
	}
	result, err := l.fns[name].Invoke(ctx, text)
	if ctx.Err() != nil {
		return 0, nil
	}
	answer, httpErr := result.HTTP()
	if err = cmp.Or(err, httpErr); err != nil {
		l.fail("%s: %v", name, err)
		return 0, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(answer.Body, &fields); err != nil {
		l.fail("%s answers %d %.200s", name, answer.Status, answer.Body)
	}
	body = map[string]string{}
	for key, value := range fields {
		body[key], _ = value.(string)
	}
	l.count(fmt.Sprintf("%s %d %s", name, answer.Status, body["code"]))
	if !slices.Contains(wanted, answer.Status) && (passing[body["code"]] != answer.Status || answer.Status == 0 ||
		answer.Status == 503 && answer.Header.Get("Retry-After") == "") {
		l.fail("%s answers %d %.200s", name, answer.Status, answer.Body)
	}
	return answer.Status, body
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
