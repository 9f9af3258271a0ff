package didittest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// DefaultWebhookSecret signs webhooks unless [Server.WebhookSecret] says otherwise. It is as long as Didit's, and made
// up.
const DefaultWebhookSecret = "simulated-webhook-secret-that-opens-nothing"

// MaxDeliveries is how many deliveries a [Server] remembers, and how many events; the oldest are forgotten first.
const MaxDeliveries = 1_000

// maxEventBytes bounds what the bodies of the remembered events hold together.
const maxEventBytes = 64 << 20

// ErrUnknownEvent is the error of [Server.Resend] for an event that was never sent, or is forgotten.
var ErrUnknownEvent = errors.New("didittest: unknown event")

// Types of events.
const (
	statusUpdated = "status.updated"
	dataUpdated   = "data.updated"
)

// webhookVersions are the shapes of a body that a destination may choose.
var webhookVersions = []string{"v1", "v2", "v3"}

// A Quirk is a way to send an event other than once, in its turn and well signed.
type Quirk string

// The quirks. Didit promises neither to deliver in order nor only once; the others are what happens to a webhook on its
// way, or what somebody else may send.
const (
	SendTwice    Quirk = "twice"           // two deliveries of the same
	SendLate     Quirk = "late"            // after the event that follows it, with the time of its own
	SendNever    Quirk = "never"           // lost; [Server.Resend] finds it
	SendForged   Quirk = "wrong_signature" // all signatures made with another secret
	SendStale    Quirk = "stale"           // signed an hour ago
	SendReworded Quirk = "v2_only"         // written anew on the way, so that X-Signature no longer fits the body
)

var quirks = []Quirk{SendTwice, SendLate, SendNever, SendForged, SendStale, SendReworded}

// A Delivery is an attempt to hand an event over, without anything secret or personal: fit for a log.
type Delivery struct {
	Time          time.Time `json:"time"` // of its start
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

// SetWebhook changes the destination, at once and for repetitions too, as Didit signs with the secret in force. The
// version is that of events to come. An empty argument leaves that one as it is. The error says which argument is not
// what [Server] allows, and nothing is changed then.
func (s *Server) SetWebhook(destination, secret, version string) error {
	if u, err := url.Parse(destination); destination != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return badRequest("url: not an http or https URL")
	}
	if version != "" && !slices.Contains(webhookVersions, version) {
		return badRequest(fmt.Sprintf("version: %q is not one of v1, v2, v3", version))
	}
	defer s.lock()()
	s.hooks.set(destination, secret, version)
	return nil
}

// Misdeliver makes the next events, as many as times, be sent with a quirk; zero means all until [Server.ClearQuirks].
// Quirks are met in the order of their arming, one by each event. Misdeliver panics if the quirk is none of the package's
// or times is negative, since that is a mistake in the calling program.
func (s *Server) Misdeliver(q Quirk, times int) {
	if err := (armedQuirk{q, times}).check(); err != nil {
		panic("didittest: " + err.Error())
	}
	defer s.lock()()
	s.hooks.quirks = append(s.hooks.quirks, armedQuirk{q, times})
}

// ClearQuirks disarms all quirks. Events that wait to be late are sent now.
func (s *Server) ClearQuirks() {
	defer s.lock()()
	s.hooks.quirks = nil
	s.release()
}

// Deliveries returns the deliveries that have ended, oldest first: the last [MaxDeliveries] of them.
func (s *Server) Deliveries() []Delivery {
	defer s.lock()()
	return slices.Clone(s.hooks.log)
}

type armedQuirk struct {
	Quirk Quirk `json:"quirk"`
	Times int   `json:"times,omitempty"`
}

// check returns an error that begins with the name of the wrong field.
func (a armedQuirk) check() error {
	switch {
	case !slices.Contains(quirks, a.Quirk):
		return badRequest(fmt.Sprintf("quirk: %q is not one of %q", a.Quirk, quirks))
	case a.Times < 0:
		return badRequest(fmt.Sprintf("times: %d is negative", a.Times))
	}
	return nil
}

// webhooks is the destination and what is on its way there. The lock of its Server guards it.
type webhooks struct {
	url, secret, version string
	quirks               []armedQuirk
	events               []*event // oldest first
	bytes                int      // of the bodies of all events
	held                 []*event // until the next event
	tails                map[string]chan struct{}
	log                  []Delivery
	pending              int        // deliveries under way, or waiting to be repeated
	settled              *sync.Cond // pending became less
	client               *http.Client
}

// setup takes over the knobs.
func (h *webhooks) setup(s *Server) {
	h.url, h.secret, h.version = s.WebhookURL, DefaultWebhookSecret, "v3"
	h.set("", s.WebhookSecret, s.WebhookVersion)
	h.tails = make(map[string]chan struct{})
	h.settled = sync.NewCond(&s.mu)
	transport := s.WebhookTransport
	if transport == nil {
		// Connections that are kept would hold up the end of a test's server.
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	h.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// set takes over what is not empty.
func (h *webhooks) set(destination, secret, version string) {
	for _, v := range []struct {
		to   *string
		from string
	}{{&h.url, destination}, {&h.secret, secret}, {&h.version, version}} {
		if v.from != "" {
			*v.to = v.from
		}
	}
}

// takeQuirk returns the quirk that an event meets, or "".
func (h *webhooks) takeQuirk() Quirk {
	if len(h.quirks) == 0 {
		return ""
	}
	met := h.quirks[0].Quirk
	switch h.quirks[0].Times {
	case 0: // stays for good
	case 1:
		h.quirks = h.quirks[1:]
	default:
		h.quirks[0].Times--
	}
	return met
}

func (h *webhooks) remember(e *event) {
	h.events = append(h.events, e)
	h.bytes += e.size
	for len(h.events) > MaxDeliveries || h.bytes > maxEventBytes {
		h.bytes -= h.events[0].size
		h.events[0] = nil
		h.events = h.events[1:]
	}
}

// An event is what happened to a session, as its webhook tells it.
type event struct {
	id, kind, version string
	sessionID, status string
	created           int64          // Unix seconds
	fields            map[string]any // the body, but for its timestamp; plain
	size              int            // of the body
	quirk             Quirk
}

// environment, as the bodies of an application that is no sandbox have it.
const environment = "live"

// event tells of the session as it stands, in the shape of a version ("Didit: Webhooks").
func (v *session) event(kind, version string, now time.Time) *event {
	e := &event{id: newUUID(), kind: kind, version: version, sessionID: v.id, status: v.status, created: now.Unix()}
	fields := map[string]any{"session_id": v.id, "status": v.status, "created_at": e.created}
	if v.vendorData != nil || version == "v3" {
		fields["vendor_data"] = v.vendorData
	}
	if version != "v1" {
		fields["workflow_id"] = v.workflowID
	}
	if v.metadata != nil && version == "v2" || version == "v3" {
		fields["metadata"] = v.metadata
	}
	if version == "v3" {
		fields["webhook_type"], fields["event_id"], fields["workflow_version"] = kind, e.id, 1
		fields["application_id"], fields["environment"] = applicationID, environment
	}
	switch v.status {
	case "Approved", "Declined", "In Review", "Abandoned":
		fields["decision"] = v.decision(version)
	case "Resubmitted":
		if version == "v3" {
			fields["resubmit_info"] = map[string]any{
				"nodes_to_resubmit": []any{map[string]string{"node_id": features[0].node, "feature": features[0].word}}, "reasons": json.RawMessage("{}"),
			}
		}
	}
	e.fields = plain(fields).(map[string]any)
	e.size = len(dumps(e.fields, true))
	return e
}
