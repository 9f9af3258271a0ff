package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"didit-sessions/internal/api"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/verification"
)

// defaults are the function's variables where the environment sets none.
var defaults = map[string]string{
	config.DiditSecretID:    "local",
	config.WorkflowIDs:      "11111111-2222-3333-4444-555555555555",
	config.AllowedCallbacks: "https://example.com/verification,myapp://",
}

type options struct {
	port, simulatorPort int
	listen              string
	getenv              func(string) string
	out                 io.Writer // gets a line per request
}

// system is everything that runs.
type system struct {
	simulator       *didittest.Server
	secret          *secret
	url             string // of the API and the page
	simulatorURL    string
	callerAuth      string
	servers         []*http.Server
	serving         sync.WaitGroup
	gatewayListener net.Listener
}

// secret stands in for Secrets Manager.
type secret struct {
	mu   sync.Mutex
	text string
}

func (s *secret) set(clientID, clientSecret string) {
	text, _ := json.Marshal(map[string]string{"client_id": clientID, "client_secret": clientSecret})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = string(text)
}

func (s *secret) read(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text, nil
}

// start listens and serves. What it started is stopped again when it fails.
func start(o options) (*system, error) {
	settings, err := config.LoadCreateSession(func(name string) string {
		if value := o.getenv(name); value != "" {
			return value
		}
		return defaults[name]
	})
	if err != nil {
		return nil, fmt.Errorf("wrong configuration:\n%w", err)
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
	log := &requestLog{out: o.out}
	s := &system{
		secret:          &secret{},
		url:             origin(host, gatewayListener),
		simulatorURL:    origin(host, simulatorListener),
		callerAuth:      settings.Callers.CallerAuth,
		gatewayListener: gatewayListener,
	}
	s.simulator = &didittest.Server{BaseURL: s.simulatorURL, OnRequest: log.didit}
	s.secret.set(didittest.DefaultClientID, didittest.DefaultClientSecret)
	gateway := &gateway{
		function: s.function(settings, origin(loopbackOf(o.listen), simulatorListener), o.out),
		iam:      settings.Callers.CallerAuth == "iam",
		log:      log,
	}
	s.serve(gatewayListener, s.page(gateway))
	s.serve(simulatorListener, s.simulator)
	return s, nil
}

// function wires what functions/createsession wires, with the simulator and a secret in memory.
func (s *system) function(settings config.CreateSession, diditURL string, out io.Writer) *lambdahttp.Handler {
	create := &api.CreateSession{
		Sessions: &verification.Service{Policy: settings.Policy, Didit: &didit.Client{
			Credentials: &didit.CredentialCache{Read: s.secret.read},
			AuthURL:     diditURL, APIURL: diditURL, Version: didit.Version(settings.Didit.APIVersion),
			Observe: func(ctx context.Context, a didit.Attempt) {
				api.Observe(ctx, api.Upstream{Op: a.Op, Status: a.Status, Duration: a.Duration})
			},
		}},
		Callers: api.Callers{
			Identify:       func(r *http.Request) api.Identity { return api.Identity(lambdahttp.ProofOf(r.Context())) },
			TrustIAM:       settings.Callers.CallerAuth == "iam",
			PrincipalClaim: settings.Callers.PrincipalClaim,
		},
		Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutMetrics})),
	}
	return &lambdahttp.Handler{HTTP: create, Direct: create.Direct}
}

// withoutMetrics leaves out what only CloudWatch reads.
func withoutMetrics(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case "_aws", "Calls", "Latency", "Attempts":
		return slog.Attr{}
	}
	return a
}

func (s *system) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(l) })
}

// stop ends all servers, letting requests under way finish for a moment.
func (s *system) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.simulator.Close()
	for _, server := range s.servers {
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	s.serving.Wait()
	return nil
}

func (s *system) printWhere(out io.Writer) {
	fmt.Fprintf(out, "page and API      %s\n", s.url)
	fmt.Fprintf(out, "Didit simulator   %s\n", s.simulatorURL)
	fmt.Fprintf(out, "\nOpen the page, or paste:\n\n  curl -s %s/sessions -H 'Content-Type: application/json' -H %s -d '{}'\n\n",
		s.url, s.curlAuthorization())
	fmt.Fprintf(out, "The word after Bearer is the signed-in user. Ctrl-C stops everything. Requests follow.\n\n")
}

func (s *system) curlAuthorization() string {
	if s.callerAuth == "iam" {
		return "'Authorization: AWS4-HMAC-SHA256 unverified'"
	}
	return "'Authorization: Bearer alice'"
}

func listen(address string, port int, flagName string) (net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("%s is %d; a port lies between 0 and 65535", flagName, port)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is taken by another program; choose one with %s (make run PORT=…)", port, flagName)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

func origin(host string, l net.Listener) string {
	port := l.Addr().(*net.TCPAddr).Port
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// urlHost is the host under which others reach the address: for 0.0.0.0 and ::, this machine's
// first address in its network.
func urlHost(address string) string {
	if ip, err := netip.ParseAddr(address); err != nil || !ip.IsUnspecified() {
		return address
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	return "127.0.0.1"
}

// loopbackOf is the address at which this process reaches itself.
func loopbackOf(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return address
}

// requestLog prints a line per request: no bodies, no headers, no session tokens.
type requestLog struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *requestLog) line(who, method, path string, status int, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s  %-7s  %d  %-4s %s  %s\n", time.Now().Format(time.TimeOnly), who, status, method, path, note)
}

func (l *requestLog) didit(e didittest.Exchange) { l.line("didit", e.Method, e.Path, e.Status, "") }
