package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit"
)

// lowBalance is the credit in USD below which doctor warns; Didit's packages begin at 10.
const lowBalance = 10

func parseAmount(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

// parseSecret returns what is wrong with the text of a secret. It quotes nothing of it.
func parseSecret(name secretName, text string) error {
	if name == diditSecret {
		_, err := didit.ParseCredentials(text)
		return err
	}
	_, err := didit.ParseWebhookSecret(text)
	return err
}

// lookAtDestination looks whether Didit delivers both events to the deployed function, signed with
// the secret that it has.
func (e *examination) lookAtDestination(ctx context.Context) []finding {
	if e.didit == nil {
		return []finding{unseen(errors.New("needs a key that Didit accepts"))}
	}
	all, err := e.didit.Destinations(ctx)
	if errors.Is(err, management.ErrRefused) {
		return []finding{unseen(errors.New("the key may not read webhook destinations"))}
	}
	if err != nil {
		return []finding{wrong("", diditFault("Webhook destinations cannot be listed", err))}
	}
	i := slices.IndexFunc(all, func(d management.Destination) bool { return d.URL == e.webhookURL })
	if i < 0 {
		return []finding{fail(e.connectFix(), "Didit has no destination %s: nothing is delivered", e.webhookURL)}
	}
	d := all[i]
	found := e.lookAtSettings(d)
	found = append(found, e.lookAtSignature(ctx, d)...)
	switch {
	case d.Failed > 0:
		found = append(found, warn("make replay ENV="+e.env+" SINCE=30d", "%d of %d deliveries failed in 30 days", d.Failed, d.Deliveries))
	case d.Deliveries > 0:
		found = append(found, ok("all of %s in 30 days accepted", count(d.Deliveries, "delivery")))
	}
	for _, text := range e.doubles(all, d.ID) {
		found = append(found, warn("", "%s", text))
	}
	return found
}

// lookAtSettings looks whether the destination is on and gets what the backend needs.
func (e *examination) lookAtSettings(d management.Destination) []finding {
	var found []finding
	if !d.Enabled {
		found = append(found, fail(e.connectFix(), "the destination is switched off: nothing is delivered"))
	}
	missing := slices.DeleteFunc(slices.Clone(destinationEvents), func(event string) bool { return slices.Contains(d.Events, event) })
	if len(missing) > 0 {
		found = append(found, fail(e.connectFix(), "the destination does not get %s", strings.Join(missing, " and ")))
	}
	if len(found) == 0 {
		found = append(found, ok("destination on, with both events"))
	}
	return found
}

// lookAtSignature compares the secrets, and delivers a signed probe.
func (e *examination) lookAtSignature(ctx context.Context, d management.Destination) []finding {
	stored, err := e.storedWebhookSecret(ctx)
	if err != nil || stored == "" {
		return nil // said by the check of the secrets
	}
	if d.Last4 != "" && !strings.HasSuffix(string(stored), d.Last4) {
		text := "the stored secret is not that of the destination: it was rotated at Didit"
		if whole, err := e.didit.Destination(ctx, d.ID); err == nil && whole.PreviousUntil != nil && whole.PreviousUntil.After(e.now()) {
			text += "; Didit signs with both until " + whole.PreviousUntil.UTC().Format("2 January 15:04 UTC")
		}
		return []finding{fail(e.connectFix(), "%s", text)}
	}
	if err := e.deliverProbe(ctx, e.webhookURL, stored); err != nil {
		return []finding{wrong("", err)}
	}
	return []finding{ok("a signed probe is accepted")}
}

// lookAtApplication looks at what Didit keeps for the application as a whole.
func (e *examination) lookAtApplication(ctx context.Context) []finding {
	if e.didit == nil {
		return nil
	}
	var found []finding
	for _, text := range e.applicationWarnings(ctx, e.didit) {
		found = append(found, warn("", "%s", text))
	}
	return found
}
