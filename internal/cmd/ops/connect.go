package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit"
)

var connectVerb = &verb{
	name:      "connect",
	summary:   "join Didit's webhooks and key to the stack; run it again after a rotation, it changes only what differs",
	questions: []*question{askKey, askWebhookSecret},
	local:     true,
	run:       connect,
}

var askWebhookSecret = &question{
	flag: "webhook-secret", variable: "DIDIT_WEBHOOK_SECRET", prompt: "Secret of the webhook destination, from Didit's console (hidden)",
	usage: "the secret of the webhook destination, which Didit shows in its console only", secret: true,
	check: func(_ context.Context, answer string) (string, error) {
		_, err := didit.ParseWebhookSecret(webhookSecretText(management.Key(answer)))
		if err != nil {
			return "", errors.New("a webhook secret has at most 1024 characters")
		}
		return answer, nil
	},
}

// destinationEvents are those that the backend acts on.
var destinationEvents = []string{didit.TypeStatusUpdated, didit.TypeDataUpdated}

// connection is one run of connect.
type connection struct {
	*ops
	*site
	didit        *management.Client
	destinations []management.Destination
	ours         management.Destination
}

// connect joins Didit to the deployment. Each step looks first and changes what differs, so a run
// that was interrupted is finished by the next.
func connect(ctx context.Context, o *ops) error {
	s, err := o.openSite(ctx)
	if err != nil {
		return err
	}
	o.say("Connecting %s", s.place)
	c := &connection{ops: o, site: s}
	for _, step := range []func(context.Context) error{c.settleKey, c.settleDestination, c.settleSecret, c.probe, c.enable} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	c.warn(ctx)
	next := "make session ENV=" + o.env
	if s.stack == nil {
		next = "open the page of make run"
	}
	o.say("Connected. Next  %s", next)
	return nil
}

// line prints what came of a step.
func (o *ops) line(what, format string, args ...any) {
	o.say("%-16s %s", what, fmt.Sprintf(format, args...))
}

// settleKey finds a key that Didit accepts, the stored one if it can be, and stores it.
func (c *connection) settleKey(ctx context.Context) error {
	stored, err := c.storedKey(ctx)
	if err != nil {
		return err
	}
	key := stored
	if key == "" || c.known(askKey) {
		key = ""
	} else if err := c.tryKey(ctx, key); errors.Is(err, management.ErrRefused) {
		c.line("Didit API key", "the stored one is refused by Didit; a new one is needed")
		key = ""
	} else if err != nil {
		return err
	}
	if key == "" {
		q := *askKey
		q.check = func(ctx context.Context, answer string) (string, error) {
			return answer, c.tryKey(ctx, management.Key(answer))
		}
		answer, err := c.ask(ctx, &q)
		if err != nil {
			return err
		}
		if err := c.complete(); err != nil {
			return err
		}
		key = management.Key(answer)
	}
	if key == stored {
		c.line("Didit API key", "unchanged, accepted")
		return nil
	}
	if err := c.vault.store(ctx, diditSecret, keySecret(string(key))); err != nil {
		return err
	}
	c.line("Didit API key", "accepted and stored")
	return nil
}

// tryKey looks whether Didit accepts a key for what connect does, and whether it is a key of the
// application that has the stack's workflows. It leaves the client and the destinations behind.
func (c *connection) tryKey(ctx context.Context, key management.Key) error {
	client := c.client(key)
	destinations, err := client.Destinations(ctx)
	if err != nil {
		_, other := client.Workflows(ctx)
		if errors.Is(err, management.ErrRefused) && other == nil {
			return fmt.Errorf("%w; it may read workflows but not webhook destinations: give it the rights to read and write webhooks, "+
				"or use the application's own key", management.ErrRefused)
		}
		return diditFault("Didit's webhook destinations cannot be listed", err)
	}
	if err := c.site.checkApplication(ctx, client); err != nil {
		return err
	}
	c.didit, c.destinations = client, destinations
	return nil
}

// checkApplication returns an error if the key's application has none of the deployment's
// workflows. A key that may not read workflows passes.
func (s *site) checkApplication(ctx context.Context, client *management.Client) error {
	workflows, err := client.Workflows(ctx)
	if err != nil || len(s.workflows) == 0 {
		return nil
	}
	for _, id := range s.workflows {
		if findWorkflow(workflows, id) != nil {
			return nil
		}
	}
	return fmt.Errorf("the key is accepted, but its application has no workflow %s; use a key of the application that has it", s.workflows[0])
}

func findWorkflow(all []management.Workflow, id string) *management.Workflow {
	i := slices.IndexFunc(all, func(w management.Workflow) bool { return strings.EqualFold(w.ID, id) })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// settleDestination finds our destination by its URL, or creates it, disabled: until its secret is
// stored, every delivery would be refused.
func (c *connection) settleDestination(ctx context.Context) error {
	if i := slices.IndexFunc(c.destinations, func(d management.Destination) bool { return d.URL == c.webhookURL }); i >= 0 {
		c.ours = c.destinations[i]
		return c.settleEvents(ctx)
	}
	made, err := c.didit.CreateDestination(ctx, management.NewDestination{
		Label: c.label(), URL: c.webhookURL, Version: "v3", Events: destinationEvents,
	})
	if err != nil {
		return c.explainCreate(err)
	}
	c.ours = made
	c.line("Destination", "created, disabled: %s", c.webhookURL)
	return nil
}

func (c *connection) label() string {
	if c.stack != nil {
		return c.stack.name
	}
	return "make run"
}

// explainCreate says what to do if Didit creates no destination.
func (c *connection) explainCreate(err error) error {
	const what = "Didit creates no webhook destination"
	if errors.Is(err, management.ErrRefused) {
		return fmt.Errorf("%s: the key lacks the right to write webhooks; give it that right, or use the application's own key", what)
	}
	if status, ok := errors.AsType[*management.StatusError](err); ok && status.Status == 400 && len(c.destinations) > 0 {
		return fmt.Errorf("%s: %w; it has %d already: if that is its limit, delete one in Didit's console and run this again",
			what, err, len(c.destinations))
	}
	return diditFault(what, err)
}

// settleEvents adds the events that the backend needs to those of the destination.
func (c *connection) settleEvents(ctx context.Context) error {
	events := slices.Clone(c.ours.Events)
	for _, e := range destinationEvents {
		if !slices.Contains(events, e) {
			events = append(events, e)
		}
	}
	added := events[len(c.ours.Events):]
	if len(added) == 0 {
		c.line("Destination", "unchanged: %s", c.webhookURL)
		return nil
	}
	if err := c.didit.ChangeDestination(ctx, c.ours.ID, management.DestinationChange{Events: events}); err != nil {
		return explainWrite("The destination's events cannot be changed", err)
	}
	c.ours.Events = events
	c.line("Destination", "%s added to its events: %s", strings.Join(added, " and "), c.webhookURL)
	return nil
}

func explainWrite(what string, err error) error {
	if errors.Is(err, management.ErrRefused) {
		return fmt.Errorf("%s: the key lacks the right to write webhooks; give it that right, or use the application's own key", what)
	}
	return diditFault(what, err)
}
