package management

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxPages bounds how much of a log is read.
const maxPages = 1_000

// Delivery is one attempt to deliver an event to a destination.
type Delivery struct {
	ID        string `json:"uuid"`
	SessionID string `json:"session_id"` // empty for an event that is about no session
	URL       string `json:"request_url"`
	// Response is the status of the answer; nil if there was none.
	Response *int      `json:"response_status"`
	Type     string    `json:"webhook_type"`
	Created  time.Time `json:"created_at"`
	// Event is the id that all attempts and all destinations of an event have in common: Didit's, or,
	// as bodies of versions 1 and 2 have none, a hash of the body without its timestamp. Only
	// [Client.SessionDeliveries] and [Client.Resend] return it.
	Event string `json:"-"`
	// Status is the session's in the event; of the same calls only.
	Status string `json:"-"`
}

// Delivered reports whether the destination answered with a 2xx.
func (d Delivery) Delivered() bool { return d.Response != nil && *d.Response/100 == 2 }

// UnmarshalJSON keeps of the body, which is full of personal data, two words.
func (d *Delivery) UnmarshalJSON(text []byte) error {
	type plain Delivery
	var in struct {
		plain
		Body string `json:"request_body"` // JSON in a string
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*d = Delivery(in.plain)
	var body map[string]json.RawMessage
	if json.Unmarshal([]byte(in.Body), &body) != nil {
		return nil
	}
	_ = json.Unmarshal(body["event_id"], &d.Event)
	_ = json.Unmarshal(body["status"], &d.Status)
	if d.Event == "" {
		delete(body, "timestamp") // of the delivery
		rest, err := json.Marshal(body)
		if err != nil {
			return err
		}
		d.Event = fmt.Sprintf("%x", sha256.Sum256(rest))
	}
	return nil
}

// Deliveries returns a destination's deliveries that began at a time or later, in Didit's order,
// which is not documented.
func (c *Client) Deliveries(ctx context.Context, destination string, since time.Time) ([]Delivery, error) {
	var all []Delivery
	path := destinationsPath + destination + "/deliveries/"
	for range maxPages {
		p, err := get[page](ctx, c, path)
		if err != nil {
			return nil, err
		}
		for _, d := range p.Results {
			if !d.Created.Before(since) {
				all = append(all, d)
			}
		}
		next, err := url.Parse(p.Next)
		// The rest of the address may lead anywhere; the key goes to this origin only.
		if err != nil || p.Next == "" || !strings.HasPrefix(next.Path, destinationsPath) || p.endsBefore(since) {
			break
		}
		path = next.RequestURI()
	}
	return all, nil
}

// page is a page of a log, or a whole one.
type page struct {
	Next    string
	Results []Delivery
}

func (p *page) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, &p.Results)
	}
	type plain page
	return json.Unmarshal(text, (*plain)(p))
}

// endsBefore reports whether all that follows the page is older than a time: the newest come first,
// and the page has reached the time.
func (p *page) endsBefore(since time.Time) bool {
	n := len(p.Results)
	return n == 0 || p.Results[n-1].Created.Before(since) && !p.Results[0].Created.Before(p.Results[n-1].Created)
}

// SessionDeliveries returns all attempts to deliver the events of a session, to all destinations.
func (c *Client) SessionDeliveries(ctx context.Context, session string) ([]Delivery, error) {
	return get[list[Delivery]](ctx, c, "/v3/session/"+url.PathEscape(session)+"/webhooks/")
}

// Resend has the event of a delivery sent to the same address again and returns the new delivery.
// Didit waits up to 5 s for the answer.
func (c *Client) Resend(ctx context.Context, d Delivery) (Delivery, error) {
	var again Delivery
	// This path has no slash at its end.
	err := c.Do(ctx, http.MethodPost, "/v3/session/"+url.PathEscape(d.SessionID)+"/webhook/"+url.PathEscape(d.ID)+"/resend", nil, &again)
	return again, err
}
