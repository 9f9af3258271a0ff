package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"didit-sessions/internal/didit/didittest"
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
	// sleep replaces the waits of eraseuser; nil waits in real time.
	sleep func(context.Context, time.Duration)
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
	webhookURL   string // as the simulator knows it
	iam          bool   // callers authenticate by IAM instead of by JWT
	settings     settings
	log          *requestLog
	servers      []*http.Server
	running      sync.WaitGroup
	ctx          context.Context // canceled by stop
	cancel       context.CancelFunc
	watch        observer
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
	own, public := hosts(o.listen)
	s := &system{
		url:        origin(public, gatewayListener),
		webhookURL: origin(own, gatewayListener) + "/webhooks/didit",
		iam:        settings.create.Callers.TrustIAM,
		settings:   settings,
		log:        newRequestLog(o.out, o.getenv),
	}
	s.patience, s.sleep, s.account, s.watch.now = o.patience, o.sleep, settings.account, s.clock.now
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var simulatorListener net.Listener // none with a real account
	if !s.account.isReal() {
		if simulatorListener, err = listen(o.listen, o.simulatorPort, "-simulator-port"); err != nil {
			return nil, errors.Join(err, gatewayListener.Close())
		}
		s.simulatorURL, s.diditURL = origin(public, simulatorListener), origin(own, simulatorListener)
	}
	s.simulator = &didittest.Server{
		Sandbox: true, BaseURL: s.simulatorURL, AppURL: s.url + "/", Now: s.clock.now, OnRequest: s.log.didit,
		OnDelivery: func(d didittest.Delivery) { s.log.delivery(d); s.watch.delivery(d) },
		WebhookURL: s.webhookURL, Workflows: workflowsOf(settings.create.Policy.WorkflowIDs),
		RetryWaits: retryWaits, DeliveryTimeout: o.patience,
		WebhookTransport: deliveries{&http.Transport{DisableKeepAlives: true}, s},
	}
	s.wire()
	var api http.Handler = &gateway{
		routes: routes(s.functions, settings.edge.rate, settings.edge.burst), edge: settings.edge, iam: s.iam,
		principalClaim: settings.create.Callers.PrincipalClaim, log: s.log, limit: s.patience,
	}
	if o.around != nil {
		api = o.around(api)
	}
	s.serve(gatewayListener, s.page(s.watch.requests("request", api)))
	if simulatorListener != nil {
		s.serve(simulatorListener, s.watch.requests("didit", s.simulator, "/auth/", "/v2/", "/v3/"))
	}
	if o.reconcileEvery > 0 {
		s.running.Go(func() { s.schedule(o.reconcileEvery) })
	}
	return s, nil
}

// wire connects the functions to the backend and to Didit.
func (s *system) wire() {
	s.now, s.functionLog, s.sessionURL = s.clock.now, s.log.functions(), s.simulatorURL
	s.vault.set("didit", s.account.secret, time.Time{})
	if s.account.webhookSecret != "" {
		s.vault.set("webhook", secretJSON(map[string]string{"webhook_secret": s.account.webhookSecret}), time.Time{})
	}
	s.records = table{&s.store, &s.watch}
	s.functions = s.backend.functions(s.settings)
	s.bus.Subscribe(s.log.event)
	s.bus.Subscribe(s.watch.event)
	s.follow(s.functions.track)
	s.workflows.create, s.workflows.await, s.workflows.tasks = s.functions.create, s.functions.await, &s.tasks
	s.workflows.watch = s.watch.execution
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
