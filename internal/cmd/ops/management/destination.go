package management

import (
	"context"
	"net/http"
	"time"
)

const destinationsPath = "/v3/webhook/destinations/"

// Destination is an address that Didit delivers webhooks to. Each has a secret of its own.
type Destination struct {
	ID      string   `json:"uuid"`
	Label   string   `json:"label"`
	URL     string   `json:"url"`
	Enabled bool     `json:"enabled"`
	Version string   `json:"webhook_version"`
	Events  []string `json:"subscribed_events"`
	// Last4 are the last characters of the secret; empty if Didit does not say.
	Last4 string `json:"secret_last4"`
	// Secret is what deliveries are signed with. A list never holds it; [Client.Destination] does for
	// a key that may see it, and so does the answer to [Client.CreateDestination].
	Secret Key `json:"secret_shared_key"`
	// PreviousUntil is when the secret before a rotation stops signing; nil if none does.
	PreviousUntil *time.Time `json:"previous_secret_expires_at"`

	// Of the last 30 days, in a list only.
	Deliveries   int        `json:"deliveries_count"`
	Failed       int        `json:"failed_deliveries_count"`
	LastDelivery *time.Time `json:"last_delivery_at"`
}

// Destinations returns all destinations of the application, without their secrets.
func (c *Client) Destinations(ctx context.Context) ([]Destination, error) {
	return get[list[Destination]](ctx, c, destinationsPath)
}

// Destination returns a destination with its secret, which is empty if Didit does not show it to
// this key.
func (c *Client) Destination(ctx context.Context, id string) (Destination, error) {
	return get[Destination](ctx, c, destinationsPath+id+"/")
}

// NewDestination is what a destination is created with.
type NewDestination struct {
	Label   string   `json:"label"`
	URL     string   `json:"url"` // must be unique in the application
	Enabled bool     `json:"enabled"`
	Version string   `json:"webhook_version"`
	Events  []string `json:"subscribed_events"` // at least one
}

// CreateDestination creates a destination and returns it with its secret. It is not safe to repeat:
// look with [Client.Destinations] first.
func (c *Client) CreateDestination(ctx context.Context, n NewDestination) (Destination, error) {
	var d Destination
	err := c.Do(ctx, http.MethodPost, destinationsPath, n, &d)
	return d, err
}

// DestinationChange holds what changes; nil fields stay as they are.
type DestinationChange struct {
	Enabled *bool    `json:"enabled,omitempty"`
	Events  []string `json:"subscribed_events,omitempty"` // replaces all
}

// ChangeDestination changes a destination.
func (c *Client) ChangeDestination(ctx context.Context, id string, change DestinationChange) error {
	return c.Do(ctx, http.MethodPatch, destinationsPath+id+"/", change, nil)
}

// Application is what Didit keeps for the application as a whole.
type Application struct {
	// WebhookURL is of the time before there were destinations, and is used while none is enabled;
	// nil if there is none.
	WebhookURL *string `json:"webhook_url"`
	// AllowedDomains are the origins that a callback on the web may have; if empty, any.
	AllowedDomains []string `json:"allowed_domains"`
}

// Application returns the application's settings.
func (c *Client) Application(ctx context.Context) (Application, error) {
	return get[Application](ctx, c, "/v3/webhook/")
}
