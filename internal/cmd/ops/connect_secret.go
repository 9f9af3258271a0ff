package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit"
)

// webhookSecretText is what the stored secret holds.
func webhookSecretText(secret management.Key) string {
	text, _ := json.Marshal(map[string]string{"webhook_secret": string(secret)})
	return string(text)
}

// storedWebhookSecret returns the webhook secret that is stored; "" if none is, or none that can be
// read.
func (s *site) storedWebhookSecret(ctx context.Context) (management.Key, error) {
	text, err := s.vault.read(ctx, webhookSecret)
	if err != nil || text == "" {
		return "", err
	}
	secret, err := didit.ParseWebhookSecret(text)
	if err != nil {
		return "", nil // what is stored is replaced
	}
	return management.Key(secret), nil
}

// settleSecret stores the destination's secret where it differs from the stored one. The one before
// stays valid for a day.
func (c *connection) settleSecret(ctx context.Context) error {
	stored, err := c.storedWebhookSecret(ctx)
	if err != nil {
		return err
	}
	secret, err := c.destinationSecret(ctx, stored)
	if err != nil {
		return err
	}
	c.ours.Secret = secret
	if secret == stored {
		c.line("Webhook secret", "unchanged")
		return nil
	}
	if err := c.vault.store(ctx, webhookSecret, webhookSecretText(secret)); err != nil {
		return err
	}
	c.line("Webhook secret", "stored")
	return nil
}

// destinationSecret returns the secret that Didit signs with: from the answer that created the
// destination, from its detail, or, if Didit shows it to no key, from the operator.
func (c *connection) destinationSecret(ctx context.Context, stored management.Key) (management.Key, error) {
	if c.ours.Secret != "" {
		return c.ours.Secret, nil
	}
	whole, err := c.didit.Destination(ctx, c.ours.ID)
	if err != nil {
		return "", diditFault("The destination's secret cannot be read", err)
	}
	if whole.Secret != "" {
		return whole.Secret, nil
	}
	if stored != "" && c.ours.Last4 != "" && strings.HasSuffix(string(stored), c.ours.Last4) && !c.known(askWebhookSecret) {
		return stored, nil
	}
	answer, err := c.ask(ctx, askWebhookSecret)
	if err != nil {
		return "", err
	}
	return management.Key(answer), c.complete()
}

// probe delivers to the deployed function what Didit would.
func (c *connection) probe(ctx context.Context) error {
	err := c.step(ctx, "Delivering a probe", func(ctx context.Context) error { return c.deliverProbe(ctx, c.webhookURL, c.ours.Secret) })
	if err != nil {
		if !c.ours.Enabled {
			return fmt.Errorf("%w; the destination stays disabled, run this again after the repair", err)
		}
		return err
	}
	c.line("Probe", "accepted by the function")
	return nil
}

// enable is last: only now does every delivery find its secret.
func (c *connection) enable(ctx context.Context) error {
	if c.ours.Enabled {
		c.line("Deliveries", "unchanged, on")
		return nil
	}
	on := true
	if err := c.didit.ChangeDestination(ctx, c.ours.ID, management.DestinationChange{Enabled: &on}); err != nil {
		return explainWrite("The destination cannot be enabled", err)
	}
	c.line("Deliveries", "switched on")
	return nil
}

// warn prints what is not wrong with this deployment alone.
func (c *connection) warn(ctx context.Context) {
	for _, w := range append(c.site.doubles(c.destinations, c.ours.ID), c.site.applicationWarnings(ctx, c.didit)...) {
		c.line("WARN", "%s", w)
	}
}

// doubles returns warnings about further destinations of the application: a second one for our URL
// in another spelling, and those of other deployments.
func (s *site) doubles(all []management.Destination, ours string) (warnings []string) {
	for _, d := range all {
		switch {
		case d.ID == ours || !d.Enabled:
		case plainURL(d.URL) == plainURL(s.webhookURL):
			warnings = append(warnings, fmt.Sprintf("the destination %s is this one in another spelling: every event arrives twice; delete it in Didit's console", d.URL))
		case strings.HasSuffix(plainURL(d.URL), "/webhooks/didit"):
			warnings = append(warnings, fmt.Sprintf("another deployment gets the events of this application, too: %s; give each an application of its own", d.URL))
		}
	}
	return warnings
}

// plainURL is a URL without the spellings that lead to the same place.
func plainURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return originOf(u) + strings.TrimRight(u.Path, "/")
}

// originOf returns scheme, host and port, with the scheme's own port where none is named.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// applicationWarnings returns what the application's own settings spoil. A key that may not see
// them gets none.
func (s *site) applicationWarnings(ctx context.Context, client *management.Client) (warnings []string) {
	a, err := client.Application(ctx)
	if err != nil {
		return nil
	}
	if a.WebhookURL != nil && *a.WebhookURL != "" {
		warnings = append(warnings, fmt.Sprintf("the application has a webhook of its own, %s, which Didit uses while no destination is enabled; "+
			"remove it in Didit's console", *a.WebhookURL))
	}
	allowed := map[string]bool{}
	for _, d := range a.AllowedDomains {
		if u, err := url.Parse(d); err == nil {
			allowed[originOf(u)] = true
		}
	}
	for _, callback := range s.callbacks {
		u, err := url.Parse(callback)
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && len(allowed) > 0 && !allowed[originOf(u)] {
			warnings = append(warnings, fmt.Sprintf("Didit refuses the callback %s, which AllowedCallbacks allows: add it to the application's allowed domains", callback))
		}
	}
	return warnings
}
