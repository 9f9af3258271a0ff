package didittest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// DefaultWebhookSecret signs webhooks unless [Server.WebhookSecret] is set. It is as long as
// Didit's, and invented.
const DefaultWebhookSecret = "simulated-webhook-secret-that-opens-nothing"

// MaxDeliveries is how many deliveries a [Server] keeps, and how many events; the oldest are
// forgotten first.
const MaxDeliveries = 1_000

// maxEventBytes bounds the bodies of the kept events together, 64 MiB.
const maxEventBytes = 64 << 20

// ErrUnknownEvent is the error of [Server.Resend] for an event that does not exist or is forgotten.
var ErrUnknownEvent = errors.New("didittest: unknown event")

// versions are those of the bodies.
var versions = []string{"v1", "v2", "v3"}

// A Quirk is a way to deliver an event other than once, in order and correctly signed.
type Quirk string

// The quirks. Didit promises neither order nor a single delivery; the other quirks are what can
// happen to a webhook in transit, or what another sender may try.
const (
	SendTwice    Quirk = "twice"           // two equal deliveries
	SendLate     Quirk = "late"            // after the event that follows it, with its own time
	SendNever    Quirk = "never"           // lost; [Server.Resend] still finds it
	SendForged   Quirk = "wrong_signature" // all signatures made with another secret
	SendStale    Quirk = "stale"           // signed an hour ago
	SendReworded Quirk = "v2_only"         // re-encoded in transit, so that X-Signature does not match the body
)

var quirks = []Quirk{SendTwice, SendLate, SendNever, SendForged, SendStale, SendReworded}

// A Delivery is an attempt to deliver an event. It holds nothing secret or personal and is fit for
// a log.
type Delivery struct {
	Time          time.Time `json:"time"` // of its start
	ID            string    `json:"-"`    // UUID of this attempt in the API
	Destination   string    `json:"-"`    // UUID of the destination; "" for the application's own webhook
	EventID       string    `json:"event_id"`
	Type          string    `json:"webhook_type"`
	Version       string    `json:"webhook_version"`
	SessionID     string    `json:"session_id"`
	SessionStatus string    `json:"session_status"`
	Attempt       int       `json:"attempt"` // from 1; 0 for an event that was never sent
	Resent        bool      `json:"resent"`  // by [Server.Resend]
	Status        int       `json:"status"`  // of the answer; 0 without one
	Problem       string    `json:"problem"` // why there was no answer: timeout, connection failed, never sent; or ""
	Quirk         Quirk     `json:"quirk"`   // of the event; "" if none
}

// SetWebhook changes the oldest destination, or creates one, at once, for retries too: Didit signs
// with the secret in force. [Server.RotateWebhookSecret] leaves the secret before it in force for a
// day. The version applies to future events. An empty argument leaves that one as it is. The error
// names the argument that [Server] does not allow; nothing is changed then.
func (s *Server) SetWebhook(destination, secret, version string) error {
	u, err := url.Parse(destination)
	if destination != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("url: not an http or https URL")
	}
	if version != "" && !slices.Contains(versions, version) {
		return fmt.Errorf("version: %q is not one of v1, v2, v3", version)
	}
	now := s.now()
	defer s.lock()()
	s.WebhookURL, s.WebhookSecret = cmp.Or(destination, s.WebhookURL), cmp.Or(secret, s.WebhookSecret)
	s.WebhookVersion = cmp.Or(version, s.WebhookVersion)
	if len(s.destinations) == 0 {
		if destination != "" {
			s.addMain(now)
		}
		return nil
	}
	d := s.destinations[0]
	d.url, d.version = cmp.Or(destination, d.url), cmp.Or(version, d.version)
	if secret != "" {
		d.secret, d.retired = secret, retiredSecret{}
	}
	return nil
}

// Misdeliver arms a quirk for the next events, as many as times; zero means all until
// [Server.ClearQuirks]. Each event meets the first armed quirk. Misdeliver panics if the quirk is
// unknown or times is negative: that is a mistake in the calling program.
func (s *Server) Misdeliver(q Quirk, times int) {
	if err := (armedQuirk{q, times}).check(); err != nil {
		panic("didittest: " + err.Error())
	}
	defer s.lock()()
	s.quirks = append(s.quirks, armedQuirk{q, times})
}

// ClearQuirks disarms all quirks and sends the events that [SendLate] holds back.
func (s *Server) ClearQuirks() {
	defer s.lock()()
	s.quirks = nil
	s.release()
}

// Deliveries returns the latest deliveries that have ended, at most [MaxDeliveries], oldest first;
// fewer where bodies are large.
func (s *Server) Deliveries() []Delivery {
	defer s.lock()()
	list := []Delivery{}
	for _, r := range s.deliveries.items {
		list = append(list, r.Delivery)
	}
	return list
}

type armedQuirk struct {
	Quirk Quirk `json:"quirk"`
	Times int   `json:"times,omitempty"`
}

// check returns an error that begins with the name of the wrong field.
func (a armedQuirk) check() error {
	switch {
	case !slices.Contains(quirks, a.Quirk):
		return fmt.Errorf("quirk: %q is not one of %q", a.Quirk, quirks)
	case a.Times < 0:
		return fmt.Errorf("times: %d is negative", a.Times)
	}
	return nil
}

// webhooks are what is on its way. The lock of its Server guards them.
type webhooks struct {
	destinations []*destination // oldest first
	legacy       destination    // the application's own webhook
	quirks       []armedQuirk
	events       recent[*event]
	held         []*event // until the next event
	deliveries   recent[*record]
	pending      int        // deliveries under way, or waiting for a retry
	settled      *sync.Cond // pending became less
}

// setupWebhooks fills in the defaults of the exported fields.
func (s *Server) setupWebhooks() {
	s.WebhookSecret = cmp.Or(s.WebhookSecret, DefaultWebhookSecret)
	s.WebhookVersion = cmp.Or(s.WebhookVersion, "v3")
	s.DeliveryTimeout = cmp.Or(s.DeliveryTimeout, 5*time.Second)
	if s.RetryWaits == nil {
		s.RetryWaits = []time.Duration{time.Minute, 4 * time.Minute}
	}
	if s.WebhookTransport == nil {
		// Idle connections would delay the Close of a test's server.
		s.WebhookTransport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	s.legacy = *newDestination(time.Time{})
	s.legacy.id, s.legacy.url = "", s.ApplicationWebhookURL
	if s.WebhookURL != "" {
		s.addMain(s.now())
	}
	s.settled = sync.NewCond(&s.mu)
}

// takeQuirk returns the quirk that an event meets, or "". The caller holds the lock.
func (s *Server) takeQuirk() Quirk {
	met, _ := take(&s.quirks, func(armedQuirk) bool { return true }, func(a *armedQuirk) *int { return &a.Times })
	return met.Quirk
}
