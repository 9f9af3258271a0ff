package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/version"
)

// reconcilePause is the interval between runs of reconcile. On AWS it is 5 minutes; here a
// developer is watching.
const reconcilePause = 5 * time.Second

// retryWaits are the simulator's pauses before a retry. Didit's are minutes.
var retryWaits = []time.Duration{time.Second, 4 * time.Second}

type options struct {
	port, simulatorPort int
	listen              string
	getenv              func(string) string
	out                 io.Writer // gets a line for each request
	// reconcileEvery is the interval between runs of reconcile; 0 means that it does not run.
	reconcileEvery time.Duration
	// patience replaces the limits within which the functions, Didit and the servers answer each
	// other; 0 means those of the deployment.
	patience time.Duration
	// around, if not nil, returns what is served instead of the gateway; tests look at all of its
	// answers there.
	around func(gateway http.Handler) http.Handler
}

// system is everything that runs.
type system struct {
	backend
	clock        clock
	simulator    *didittest.Server
	functions    *functions
	workflows    workflows
	url          string // of the API and the page
	simulatorURL string
	iam          bool // callers authenticate by IAM instead of by JWT
	settings     settings
	log          *requestLog
	servers      []*http.Server
	running      sync.WaitGroup
	ctx          context.Context // canceled by stop
	cancel       context.CancelFunc
	lostMu       sync.Mutex
	lost         bool // webhooks get lost, as the page asked for
}

// start listens and serves. If it fails, it leaves nothing running.
func start(o options) (*system, error) {
	settings, err := load(o.getenv)
	if err != nil {
		return nil, err
	}
	gatewayListener, err := listen(o.listen, o.port, "-port")
	if err != nil {
		return nil, err
	}
	simulatorListener, err := listen(o.listen, o.simulatorPort, "-simulator-port")
	if err != nil {
		return nil, errors.Join(err, gatewayListener.Close())
	}
	own, public := hosts(o.listen)
	s := &system{
		url:          origin(public, gatewayListener),
		simulatorURL: origin(public, simulatorListener),
		iam:          settings.create.Callers.TrustIAM,
		settings:     settings,
		log:          &requestLog{out: o.out},
	}
	s.patience = o.patience
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.simulator = &didittest.Server{
		BaseURL: s.simulatorURL, AppURL: s.url + "/", Now: s.clock.now, OnRequest: s.log.didit, OnDelivery: s.log.delivery,
		WebhookURL: origin(own, gatewayListener) + "/webhooks/didit",
		RetryWaits: retryWaits, DeliveryTimeout: o.patience,
	}
	s.wire(origin(own, simulatorListener))
	var api http.Handler = &gateway{routes: routes(s.functions), iam: s.iam, log: s.log, limit: s.patience}
	if o.around != nil {
		api = o.around(api)
	}
	s.serve(gatewayListener, s.page(api))
	s.serve(simulatorListener, s.simulator)
	if o.reconcileEvery > 0 {
		s.running.Go(func() { s.schedule(o.reconcileEvery) })
	}
	return s, nil
}

// wire connects the functions to the backend and to the simulator.
func (s *system) wire(diditURL string) {
	s.diditURL, s.now, s.functionLog = diditURL, s.clock.now, s.log.functions()
	s.credentials.set(didittest.DefaultClientID, didittest.DefaultClientSecret)
	s.functions = s.backend.functions(s.settings)
	s.bus.Subscribe(s.log.event)
	s.follow(s.functions.track)
	s.workflows.create, s.workflows.await, s.workflows.tasks = s.functions.create, s.functions.await, &s.tasks
}

// schedule invokes reconcile at an interval.
func (s *system) schedule(pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// A failure is in the log; the next run tries again.
			_, _ = s.functions.reconcile.Invoke(s.ctx, []byte("{}"))
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *system) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: cmp.Or(s.patience, 10*time.Second)}
	s.servers = append(s.servers, server)
	s.running.Go(func() { _ = server.Serve(l) })
}

// stop stops everything. Requests under way have 2 s to finish.
func (s *system) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.cancel()
	s.simulator.Close()
	for _, server := range s.servers {
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	s.bus.Close()
	// The 2 s are not for deliveries under way: they end with the bus.
	err := s.bus.Wait(context.Background())
	s.running.Wait()
	s.workflows.waiting.Wait()
	return err
}

// printWhere prints where everything runs, and how to begin.
func (s *system) printWhere(out io.Writer) {
	authorization, body, query := "'Authorization: Bearer alice'", "{}", ""
	hint := "The word after Bearer is the signed-in user."
	if s.iam {
		authorization = "'Authorization: AWS4-HMAC-SHA256 unverified'"
		body, query = `{"vendor_data":"alice"}`, "?vendor_data=alice"
		hint = "The caller is a server, and vendor_data names the user."
	}
	fmt.Fprintf(out, "didit-sessions %s\n\n", version.Version)
	fmt.Fprintf(out, "page and API      %s\nDidit simulator   %s\n\n", s.url, s.simulatorURL)
	fmt.Fprintf(out, "Open the page, or paste:\n\n")
	fmt.Fprintf(out, "  curl -s %s/sessions -H 'Content-Type: application/json' -H %s -d '%s'\n", s.url, authorization, body)
	fmt.Fprintf(out, "  curl -s '%s/sessions%s' -H %s\n\n", s.url, query, authorization)
	fmt.Fprintf(out, "%s Ctrl-C stops everything. Requests and events follow.\n\n", hint)
}

// clock is the time of the system: the machine's until it is stopped or set forward. The zero value
// is ready to use. It is safe for concurrent use.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time] // nil while it runs
}

func (c *clock) now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

// stop makes the clock stand still until it is set forward, so that nothing depends on how fast the
// machine is, or on where a second ends.
func (c *clock) stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
