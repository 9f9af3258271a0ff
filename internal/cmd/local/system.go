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
	"time"

	"didit-sessions/internal/didit/didittest"
)

// reconcilePause is how often reconcile looks for sessions that are due. On AWS a schedule invokes it
// every 5 minutes; here a person is watching.
const reconcilePause = 5 * time.Second

// retryWaits are the simulator's. Didit waits for minutes.
var retryWaits = []time.Duration{time.Second, 4 * time.Second}

type options struct {
	port, simulatorPort int
	listen              string
	getenv              func(string) string
	out                 io.Writer // gets a line per request
	// reconcileEvery is the schedule of reconcile; 0: nobody invokes it.
	reconcileEvery time.Duration
	// patience takes the place of the limits within which the functions, Didit and the servers answer each
	// other; 0: those of the deployment.
	patience time.Duration
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
	callerAuth   string
	settings     settings
	log          *requestLog
	servers      []*http.Server
	running      sync.WaitGroup
	ctx          context.Context // ends with stop
	cancel       context.CancelFunc
	// lost tells that webhooks are lost on their way, because the page wants it so.
	lostMu sync.Mutex
	lost   bool
}

// start listens and serves. What it started is stopped again when it fails.
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
	host := urlHost(o.listen)
	s := &system{
		url:          origin(host, gatewayListener),
		simulatorURL: origin(host, simulatorListener),
		callerAuth:   settings.create.Callers.CallerAuth,
		settings:     settings,
		log:          &requestLog{out: o.out},
	}
	s.patience = o.patience
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.simulator = &didittest.Server{
		BaseURL: s.simulatorURL, Now: s.clock.now, OnRequest: s.log.didit, OnDelivery: s.log.delivery,
		WebhookURL: origin(loopbackOf(o.listen), gatewayListener) + "/webhooks/didit", RetryWaits: retryWaits, DeliveryTimeout: o.patience,
	}
	s.wire(origin(loopbackOf(o.listen), simulatorListener))
	s.serve(gatewayListener, s.page(&gateway{routes: routes(s.functions), iam: s.callerAuth == "iam", log: s.log, limit: s.patience}))
	s.serve(simulatorListener, s.simulator)
	if o.reconcileEvery > 0 {
		s.running.Go(func() { s.schedule(o.reconcileEvery) })
	}
	return s, nil
}

// wire joins the functions to what stands in for AWS and for Didit.
func (s *system) wire(diditURL string) {
	s.diditURL, s.now, s.functionLog = diditURL, s.clock.now, s.log.functions()
	s.credentials.set(map[string]string{"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret})
	s.webhookSecret.set(map[string]string{"webhook_secret": didittest.DefaultWebhookSecret})
	s.functions = s.backend.functions(s.settings)
	s.bus.Subscribe(s.log.event)
	s.follow(s.functions.track)
	s.workflows.create, s.workflows.await, s.workflows.tasks = s.functions.create, s.functions.await, &s.tasks
}

// schedule invokes reconcile time and again.
func (s *system) schedule(pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// What goes wrong is in the log; the next run may do better.
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

// stop ends all servers, letting requests under way finish for a moment.
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
	// Deliveries under way end with the bus; they have no part in that moment.
	err := s.bus.Wait(context.Background())
	s.running.Wait()
	s.workflows.waiting.Wait()
	return err
}

func (s *system) printWhere(out io.Writer) {
	authorization, body, query, hint := "'Authorization: Bearer alice'", "{}", "", "The word after Bearer is the signed-in user."
	if s.callerAuth == "iam" {
		authorization, body, query = "'Authorization: AWS4-HMAC-SHA256 unverified'", `{"vendor_data":"alice"}`, "?vendor_data=alice"
		hint = "The caller is a server, which names the user."
	}
	fmt.Fprintf(out, "page and API      %s\nDidit simulator   %s\n\nOpen the page, or paste:\n\n", s.url, s.simulatorURL)
	fmt.Fprintf(out, "  curl -s %s/sessions -H 'Content-Type: application/json' -H %s -d '%s'\n", s.url, authorization, body)
	fmt.Fprintf(out, "  curl -s '%s/sessions%s' -H %s\n\n", s.url, query, authorization)
	fmt.Fprintf(out, "%s Ctrl-C stops everything. Requests and events follow.\n\n", hint)
}
