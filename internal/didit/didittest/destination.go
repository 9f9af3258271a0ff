package didittest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// MaxDestinations is how many webhook destinations the simulated application may have. Didit
// publishes no number.
const MaxDestinations = 10

// metricsWindow is the time that the metrics of a destination cover ("Didit: List webhook
// destinations").
const metricsWindow = 30 * 24 * time.Hour

// subscribable are the events that a destination can have ("Didit: Create webhook destination").
var subscribable = []string{
	statusUpdated, dataUpdated, "user.status.updated", "user.data.updated", "business.status.updated",
	"business.data.updated", "activity.created", "transaction.created", "transaction.status.updated",
}

// sessionEvents are the events that the simulator sends.
var sessionEvents = subscribable[:2]

// destination is where webhooks go. The lock of its Server guards it.
type destination struct {
	id, label, url, version, secret string
	enabled                         bool
	events                          []string
	retired                         retiredSecret
	created, updated                time.Time
}

func newDestination(now time.Time) *destination {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return &destination{
		id: newUUID(), version: "v3", secret: base64.RawURLEncoding.EncodeToString(key), enabled: true, created: now, updated: now,
	}
}

// addMain adds the destination of [Server.WebhookURL]. The caller holds the lock, or is alone.
func (s *Server) addMain(now time.Time) {
	d := newDestination(now)
	d.label, d.url, d.version, d.secret, d.events = "Simulated destination", s.WebhookURL, s.WebhookVersion, s.WebhookSecret, sessionEvents
	s.destinations = append(s.destinations, d)
}

// targets returns the destinations that an event goes to: the enabled ones that subscribed to it,
// or that of the application, which counts only where no destination is enabled. The caller holds
// the lock.
func (s *Server) targets(kind string) (targets []*destination) {
	enabled := false
	for _, d := range s.destinations {
		enabled = enabled || d.enabled
		if d.enabled && slices.Contains(d.events, kind) {
			targets = append(targets, d)
		}
	}
	if !enabled && s.legacy.url != "" {
		targets = append(targets, &s.legacy)
	}
	return targets
}

func (s *Server) findDestination(id string) *destination {
	i := slices.IndexFunc(s.destinations, func(d *destination) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return s.destinations[i]
}

// withDestination calls work with the destination of the path, under the lock. An unknown one is
// not found.
func (s *Server) withDestination(work func(*call, *destination) answer) func(*call) answer {
	return func(c *call) answer {
		defer s.lock()()
		d := s.findDestination(c.PathValue("destination"))
		if d == nil {
			return NotFound.answer()
		}
		return work(c, d)
	}
}

// listDestinations answers with a bare array, oldest first, without secrets.
func (s *Server) listDestinations(*call) answer {
	now := s.now()
	defer s.lock()()
	list := []any{}
	for _, d := range s.destinations {
		m := s.metrics(d.id, now.Add(-metricsWindow))
		item := d.settings()
		maps.Copy(item, report{
			"subscribed_events_count": len(d.events), "metrics_window_days": 30, "deliveries_count": m.count,
			"failed_deliveries_count": m.failed, "error_rate_percentage": m.errorRate(),
			"average_response_time_ms": m.average(), "last_delivery_at": m.last,
		})
		list = append(list, item)
	}
	return jsonAnswer(http.StatusOK, list)
}

// settings are what every answer says about a destination.
func (d *destination) settings() report {
	return report{
		"uuid": d.id, "label": d.label, "url": d.url, "enabled": d.enabled, "webhook_version": d.version,
		"subscribed_events": append([]string{}, d.events...), "secret_last4": d.secret[max(0, len(d.secret)-4):],
		"created_at": d.created.UTC(), "updated_at": d.updated.UTC(),
	}
}

// withSecret is a destination with its secret, which Didit gives to every key that may read it.
func (s *Server) withSecret(d *destination) report {
	m := s.metrics(d.id, time.Time{})
	body := d.settings()
	body["secret_shared_key"], body["previous_secret_expires_at"] = d.secret, nil
	body["summary"] = report{
		"total_deliveries": m.count, "failed_deliveries": m.failed, "error_rate_percentage": m.errorRate(),
		"avg_response_time_ms": m.average(), "last_delivery_at": m.last,
	}
	if d.retired.text != "" {
		body["previous_secret_expires_at"] = d.retired.until.UTC()
	}
	return body
}

func (s *Server) showDestination(_ *call, d *destination) answer {
	body := s.withSecret(d)
	if s.HideSecrets {
		delete(body, "secret_shared_key")
	}
	return jsonAnswer(http.StatusOK, body)
}

func (s *Server) createDestination(c *call) answer {
	d := newDestination(s.now())
	defer s.lock()()
	if refusal := s.apply(c.body, d, true); refusal != nil {
		return *refusal
	}
	if len(s.destinations) >= MaxDestinations {
		return jsonAnswer(http.StatusBadRequest, report{"non_field_errors": list(
			fmt.Sprintf("An application can have at most %d webhook destinations.", MaxDestinations))})
	}
	s.destinations = append(s.destinations, d)
	return jsonAnswer(http.StatusCreated, s.withSecret(d))
}

// updateDestination replaces what the body names; its events as a whole.
func (s *Server) updateDestination(c *call, d *destination) answer {
	if refusal := s.apply(c.body, d, false); refusal != nil {
		return *refusal
	}
	return jsonAnswer(http.StatusOK, s.withSecret(d))
}

func (s *Server) deleteDestination(_ *call, d *destination) answer {
	s.destinations = slices.DeleteFunc(s.destinations, func(other *destination) bool { return other == d })
	return textAnswer(http.StatusNoContent, "application/json", nil)
}

// apply changes a destination as a body says, or refuses the body and changes nothing. A body of a
// whole destination must have a label and a URL. The caller holds the lock.
func (s *Server) apply(body []byte, d *destination, whole bool) *answer {
	var in struct {
		Label, URL *string
		Version    *string `json:"webhook_version"`
		Enabled    *bool
		Events     *[]string `json:"subscribed_events"`
	}
	refuse := func(problem report) *answer {
		a := jsonAnswer(http.StatusBadRequest, problem)
		return &a
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return refuse(report{"detail": "JSON parse error - " + err.Error()})
	}
	wrong := report{}
	if whole && in.Label == nil {
		wrong["label"] = list(required)
	}
	if whole && in.URL == nil {
		wrong["url"] = list(required)
	}
	if in.URL != nil {
		u, err := url.Parse(*in.URL)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
			wrong["url"] = list("Webhook URL must be a public HTTPS URL.")
		case slices.ContainsFunc(s.destinations, func(other *destination) bool { return other != d && other.url == *in.URL }):
			wrong["url"] = list("This webhook destination already exists for the application.")
		}
	}
	if in.Version != nil && !slices.Contains(versions, *in.Version) {
		wrong["webhook_version"] = list(fmt.Sprintf("%q is not a valid choice.", *in.Version))
	}
	if in.Events != nil {
		if len(*in.Events) == 0 {
			wrong["subscribed_events"] = list("Select at least one event.")
		}
		for _, e := range *in.Events {
			if !slices.Contains(subscribable, e) {
				wrong["subscribed_events"] = list(fmt.Sprintf("%q is not a valid choice.", e))
			}
		}
	}
	if len(wrong) > 0 {
		return refuse(wrong)
	}
	set(&d.label, in.Label)
	set(&d.url, in.URL)
	set(&d.version, in.Version)
	set(&d.enabled, in.Enabled)
	set(&d.events, in.Events)
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// isLoopback reports whether a host is this machine, where the simulator stands in for an address
// that is public.
func isLoopback(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}
