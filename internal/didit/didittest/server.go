package didittest

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// The credentials that a [Server] accepts by default. They are invented and open nothing at Didit.
const (
	DefaultClientID     = "simulated-client-id"     // [Server.ClientID]
	DefaultClientSecret = "simulated-client-secret" // [Server.ClientSecret]
	DefaultAPIKey       = "simulated-api-key"       // [Server.APIKey]
)

// A Server is one simulated Didit: the hosts of the token endpoint and of the session API, and the
// page on which the end user verifies, behind one [http.Handler].
//
// The zero value is ready to use. Set the exported fields before the first request or method call
// and do not change them afterwards: the first one fills in defaults, and the methods that set
// something later do so in them. Everything else is safe for concurrent use. A Server must not be
// copied.
type Server struct {
	// ClientID and ClientSecret are what the token endpoint requires by HTTP Basic authentication,
	// by default [DefaultClientID] and [DefaultClientSecret]. APIKey is what the session API
	// accepts in the x-api-key header, beside access tokens; by default [DefaultAPIKey].
	// [Server.SetCredentials] changes them later.
	ClientID, ClientSecret, APIKey string

	// BaseURL is the origin of session URLs, such as "https://verify.example.com". Empty means the
	// origin at which the create request arrived, by its Host header.
	BaseURL string

	// AppURL is where the simulator's own pages lead back to, the page of an app or of its developer.
	// Empty means that they lead nowhere else.
	AppURL string

	// NoReuse makes every create request create a session, as in an account of the v2 era whose
	// console switch "Reusable Sessions" was off. By default, an unfinished session of the same
	// vendor data and workflow is returned (Didit's OpenAPI 3.0.0).
	NoReuse bool

	// AllowedDomains are the origins of callbacks on the web, such as https://app.example.com. Empty
	// means any; callbacks of apps are outside the rule. [Server.SetAllowedDomains] changes them
	// later.
	AllowedDomains []string

	// Sandbox makes the application one whose sessions are not checked and not billed: deliveries
	// say so, and a create request may name a sandbox_scenario, which is refused otherwise. The
	// session is then In Progress after a ScenarioPause, and after another one what the scenario
	// says, such as Approved. Zero means 2 s, in which a backend can record the session.
	Sandbox       bool
	ScenarioPause time.Duration

	// Workflows are those of the application; nil means a published one. The session API accepts
	// any workflow. Balance is its credit in USD, a decimal string; empty means 100.00.
	// [Server.SetApplication] changes them later.
	Workflows []Workflow
	Balance   string

	// ScopedKeys are further API keys, which have only the listed rights, such as sessions:write or
	// webhooks:read; [Rights] has all. APIKey has all rights, and so has the client secret, which is
	// a key as well. [Server.SetApplication] changes them later.
	ScopedKeys map[string][]string

	// HideSecrets leaves the secret out of the answer about a single destination, as some programs
	// have seen it; only its creation shows it then.
	HideSecrets bool

	// WebhookURL is the first destination, to which a webhook goes with each change of a session's
	// status. Empty means that there is none. WebhookSecret signs it; empty means
	// [DefaultWebhookSecret]. WebhookVersion is the shape of its body, v1, v2 or v3; empty means v3.
	// [Server.SetWebhook] changes them later, and the API adds destinations.
	WebhookURL, WebhookSecret, WebhookVersion string

	// ApplicationWebhookURL is the application's own webhook, of the time before there were
	// destinations. It is used while no destination is enabled. Empty means none.
	ApplicationWebhookURL string

	// RetryWaits are the pauses before a failed delivery is retried. Nil means one minute, then
	// four; an empty list means no retry. DeliveryTimeout is how long a delivery waits for its
	// answer; zero means 5 s. The defaults are those of "Didit: Webhooks".
	RetryWaits      []time.Duration
	DeliveryTimeout time.Duration

	// WebhookTransport carries the deliveries. Nil means one with a new connection for each.
	WebhookTransport http.RoundTripper

	// Now is the clock by which tokens expire and sessions and events are dated. Nil means
	// [time.Now]. It may be called concurrently.
	Now func() time.Time

	// OnRequest, if not nil, is called once for each request, except those to the control API, when
	// its answer is known and before any of it is sent: a caller that has the answer can rely on
	// the call having been made. It may be called concurrently, and the answer waits for it. Its
	// argument holds no secret and is fit for a log.
	OnRequest func(Exchange)

	// OnDelivery, if not nil, is called once for each delivery after its end. It may be called
	// concurrently, and must not call [Server.Close]. Its argument is as fit for a log.
	OnDelivery func(Delivery)

	once   sync.Once
	mux    *http.ServeMux
	ctx    context.Context // canceled by Close
	cancel context.CancelFunc

	mu       sync.Mutex // guards all below, and the fields that have a method to set them
	url      string
	http     *http.Server
	tokens   map[string]time.Time // access token → when it expires
	sessions registry
	faults   []Fault
	requests journal
	webhooks
}

// ServeHTTP answers as Didit would, unless a fault is armed. Some faults take over the connection;
// where that is impossible (HTTP/2, [net/http/httptest.ResponseRecorder]) they panic with
// [http.ErrAbortHandler], which net/http handles.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.setup()
	s.mux.ServeHTTP(w, r)
}

// Start serves on a free port of the loopback interface, at [Server.URL], until [Server.Close]. It
// is for programs; a test can pass the Server to [net/http/httptest.NewServer] or, for TLS,
// [net/http/httptest.NewTLSServer]. It fails when no port is available, and when it is called twice
// or after Close.
func (s *Server) Start() error {
	defer s.lock()()
	if s.closed() || s.http != nil {
		return errors.New("didittest: simulator was started before")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	// No timeouts: the callers are on the same machine, which may be busy.
	s.http = &http.Server{Handler: s}
	go s.http.Serve(listener) // returns ErrServerClosed after Close
	return nil
}

// URL returns the origin of a started Server, such as "http://127.0.0.1:40001", and "" for one that
// [Server.Start] did not start.
func (s *Server) URL() string {
	defer s.lock()()
	return s.url
}

// Close stops what Start began, gives up the deliveries that are under way or wait for a retry, and
// releases every request that a fault keeps waiting. A Server behind [net/http/httptest] must be
// closed before the test server, whose own Close waits for such requests. Further calls do nothing.
func (s *Server) Close() {
	unlock := s.lock()
	s.cancel()
	if s.http != nil {
		_ = s.http.Close()
	}
	unlock()
	_ = s.Settle(context.Background())
}

func (s *Server) closed() bool { return s.ctx.Err() != nil }

// setup fills in the defaults of the exported fields and initializes the others, once.
func (s *Server) setup() {
	s.once.Do(func() {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.ClientID = cmp.Or(s.ClientID, DefaultClientID)
		s.ClientSecret = cmp.Or(s.ClientSecret, DefaultClientSecret)
		s.APIKey = cmp.Or(s.APIKey, DefaultAPIKey)
		s.tokens = make(map[string]time.Time)
		s.setupApplication()
		s.setupWebhooks()
		s.mux = s.routes()
	})
}

// lock locks a Server that is set up, and returns the function that unlocks it.
func (s *Server) lock() (unlock func()) {
	s.setup()
	s.mu.Lock()
	return s.mu.Unlock
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
