package didittest

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// The credentials a [Server] accepts until told otherwise. They are made up and open nothing at Didit.
const (
	DefaultClientID     = "simulated-client-id"     // [Server.ClientID]
	DefaultClientSecret = "simulated-client-secret" // [Server.ClientSecret]
	DefaultAPIKey       = "simulated-api-key"       // [Server.APIKey]
)

// DefaultTokenLifetime is how long an access token is valid unless [Server.TokenLifetime] says otherwise: 24 hours,
// as on "Didit: Creating a Verification Session".
const DefaultTokenLifetime = 24 * time.Hour

// A Server is one simulated Didit: both of its hosts, the token endpoint's and the session API's, and the page on
// which the end user verifies, behind one [http.Handler].
//
// The zero value is ready to use. The exported fields are knobs: set them before the first request or method call
// and leave them alone afterwards. Everything else is safe for use by several goroutines at once. A Server must not
// be copied.
type Server struct {
	// ClientID and ClientSecret are what the token endpoint demands by HTTP Basic authentication. Empty means
	// [DefaultClientID] and [DefaultClientSecret]. [Server.SetCredentials] changes them later.
	ClientID, ClientSecret string

	// APIKey is what the session API accepts in the x-api-key header, beside access tokens. Empty means
	// [DefaultAPIKey].
	APIKey string

	// TokenLifetime is how long an access token is accepted, and, in whole seconds, its expires_in. Zero means
	// [DefaultTokenLifetime].
	TokenLifetime time.Duration

	// BaseURL is the origin put in front of session URLs, such as "https://verify.example.com", without a trailing
	// slash. Empty means the origin at which the create request arrived, by its Host header.
	BaseURL string

	// Workflows lists the workflow ids that exist, UUIDs in any case. Empty means that every UUID is one.
	Workflows []string

	// NoReuse makes every create request mint a session, as an account of the v2 era did whose console switch
	// "Reusable Sessions" was off. Normally an unfinished session of the same vendor data and workflow comes back
	// (Didit's OpenAPI 3.0.0).
	NoReuse bool

	// Unauthorized makes the session API refuse credentials with status 401 and {"detail":"Invalid or missing API
	// key"}, as "Didit: Getting started" has it. Normally it answers 403 and {"detail":"You do not have permission
	// to perform this action."}, as Didit's OpenAPI 3.0.0 has it for missing, wrong and expired credentials alike.
	Unauthorized bool

	// WebhookURL is the destination: where a webhook goes with each change of a session's status. Empty means that none
	// is sent. WebhookSecret signs it; empty means [DefaultWebhookSecret]. WebhookVersion is the shape of its body, v1,
	// v2 or v3; empty means v3. [Server.SetWebhook] changes them later.
	WebhookURL, WebhookSecret, WebhookVersion string

	// RetryWaits are the times after which a delivery that failed is repeated. Nil means a minute and four more
	// ("Didit: Webhooks"); an empty list, never.
	RetryWaits []time.Duration

	// DeliveryTimeout is how long a delivery waits for its answer. Zero means 5 s, as Didit does
	// ("Didit: Webhooks").
	DeliveryTimeout time.Duration

	// WebhookTransport carries the deliveries. Nil means one with a new connection for each.
	WebhookTransport http.RoundTripper

	// Now is the clock by which tokens expire and sessions and events are dated. Nil means [time.Now]. It may be called by
	// several goroutines at once.
	Now func() time.Time

	// OnRequest, if not nil, is called once for each request but those to the control API, as soon as its answer is
	// known and before any of it is sent: whoever has the answer can rely on the call having been made. It may be
	// called by several goroutines at once, and the answer waits for it. What it gets holds no secret and is fit
	// for a log.
	OnRequest func(Exchange)

	// OnDelivery, if not nil, is called once for each delivery after its end. It may be called by several goroutines at
	// once, and must not call [Server.Close]. What it gets holds no secret and is fit for a log.
	OnDelivery func(Delivery)

	once sync.Once
	mux  *http.ServeMux
	done chan struct{} // closed by Close

	mu          sync.Mutex // guards all below
	closed      bool
	url         string
	http        *http.Server
	credentials credentials
	tokens      map[string]time.Time // access token → end of its life
	sessions    registry
	faults      []Fault
	log         journal
	hooks       webhooks
}

// ServeHTTP answers as Didit would, unless a fault says otherwise. Some faults take over the connection; where that
// is impossible (HTTP/2, [net/http/httptest.ResponseRecorder]) they panic with [http.ErrAbortHandler], which net/http
// understands.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.setup()
	s.mux.ServeHTTP(w, r)
}

// Start serves on a free port of the loopback interface until [Server.Close]; [Server.URL] then tells where. It is
// for programs; a test may as well hand the Server to [net/http/httptest.NewServer] or, for TLS,
// [net/http/httptest.NewTLSServer]. It fails when no port can be had, and when called twice or after Close.
func (s *Server) Start() error {
	defer s.lock()()
	if s.closed || s.http != nil {
		return errors.New("didittest: simulator was started before")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	// Without timeouts: its callers are on the same machine, which may be busy.
	s.http = &http.Server{Handler: s}
	go s.http.Serve(listener) // ends, with an error that says so, when Close is called
	return nil
}

// URL returns the origin at which a started Server listens, such as "http://127.0.0.1:40001", without a trailing
// slash, and "" for one that was not started by [Server.Start].
func (s *Server) URL() string {
	defer s.lock()()
	return s.url
}

// Close ends what Start began, gives up the deliveries that are under way or wait for their repetition, and lets go of
// every request that a fault keeps waiting. A Server served by
// [net/http/httptest] needs it too, before the test server's own Close, which otherwise waits for such requests.
// Further calls do nothing.
func (s *Server) Close() {
	defer s.lock()()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	if s.http != nil {
		s.http.Close()
	}
	for s.hooks.pending > 0 {
		s.hooks.settled.Wait()
	}
}

// setup turns the knobs into state, once.
func (s *Server) setup() {
	s.once.Do(func() {
		s.done = make(chan struct{})
		s.credentials = credentials{DefaultClientID, DefaultClientSecret, DefaultAPIKey}
		s.credentials.replace(s.ClientID, s.ClientSecret, s.APIKey)
		s.tokens = make(map[string]time.Time)
		s.hooks.setup(s)
		s.mux = s.routes()
	})
}

// lock takes the lock of a Server that is set up, and returns what gives it back.
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
