package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/cmd/ops/management"
)

var replayVerb = &verb{
	name:      "replay",
	summary:   "have Didit send again what was not accepted, the oldest first",
	questions: []*question{askSince},
	local:     true,
	run:       replay,
}

var askSince = &question{
	flag: "since", variable: "SINCE", prompt: "How far back", fallback: "24h",
	usage: "how far back to look, such as 24h or 7d, at most 30d",
	check: func(_ context.Context, answer string) (string, error) {
		d, err := parseSince(answer)
		return d.String(), err
	},
}

const (
	maxSince = 30 * 24 * time.Hour
	// callPause keeps below Didit's 300 writes a minute, whatever else the application writes.
	callPause = 300 * time.Millisecond
	// maxThrottled is how often in a row Didit may ask to wait.
	maxThrottled = 5
	// defaultThrottle and maxThrottle bound one such wait.
	defaultThrottle = 30 * time.Second
	maxThrottle     = 2 * time.Minute
)

// parseSince reads a duration, which may also be in days.
func parseSince(text string) (time.Duration, error) {
	number, days := strings.CutSuffix(text, "d")
	if days {
		number += "h"
	}
	d, err := time.ParseDuration(number)
	if days {
		d *= 24
	}
	if err != nil || d <= 0 || d > maxSince {
		return 0, errors.New("it must be a time such as 90m, 24h or 7d, at most 30d")
	}
	return d, nil
}

// replay asks Didit's log for events of which no delivery to our URL was accepted, and has them
// sent again. An event is the same on every delivery, so sending one twice changes nothing.
func replay(ctx context.Context, o *ops) error {
	answer, err := o.ask(ctx, askSince)
	if err == nil {
		err = o.complete()
	}
	if err != nil {
		return err
	}
	back, _ := time.ParseDuration(answer)
	s, err := o.openSite(ctx)
	if err != nil {
		return err
	}
	client, err := o.needKey(ctx, s)
	if err != nil {
		return err
	}
	r := &replayer{ops: o, site: s, didit: client}
	var lost []management.Delivery
	err = o.step(ctx, "Reading Didit's log of deliveries", func(ctx context.Context) error {
		lost, err = r.lost(ctx, o.now().Add(-back))
		return err
	})
	if err != nil {
		return err
	}
	return r.send(ctx, lost)
}

// replayer calls Didit at its pace.
type replayer struct {
	*ops
	*site
	didit *management.Client
	last  time.Time // of the latest call
}

// lost returns of each event that no attempt delivered to our URL since a time the latest attempt,
// the events in the order of their first attempts.
func (r *replayer) lost(ctx context.Context, since time.Time) ([]management.Delivery, error) {
	var failed []management.Delivery
	err := r.call(ctx, func() error {
		destinations, err := r.didit.Destinations(ctx)
		for _, d := range destinations {
			if err == nil && d.URL == r.webhookURL {
				failed, err = r.didit.Deliveries(ctx, d.ID, since)
			}
		}
		return err
	})
	if err != nil {
		return nil, explainReplay("Didit's log of deliveries cannot be read", err)
	}
	failed = slices.DeleteFunc(failed, func(d management.Delivery) bool { return d.Delivered() || d.URL != r.webhookURL || d.SessionID == "" })
	// The list has no ids of events, and a failed attempt may have been followed by one that was
	// accepted. The log of the session knows.
	var sessions []string
	for _, d := range failed {
		if !slices.Contains(sessions, d.SessionID) {
			sessions = append(sessions, d.SessionID)
		}
	}
	var lost []lostEvent
	for _, id := range sessions {
		var log []management.Delivery
		if err := r.call(ctx, func() (err error) { log, err = r.didit.SessionDeliveries(ctx, id); return err }); err != nil {
			if isGone(err) {
				r.say("%s: Didit does not know the session any more", id)
				continue
			}
			return nil, explainReplay("The log of the session "+id+" cannot be read", err)
		}
		for _, e := range eventsOf(log, r.webhookURL) {
			if !e.delivered && !e.latest.Created.Before(since) {
				lost = append(lost, e)
			}
		}
	}
	slices.SortStableFunc(lost, func(a, b lostEvent) int { return a.first.Compare(b.first) })
	var latest []management.Delivery
	for _, e := range lost {
		latest = append(latest, e.latest)
	}
	return latest, nil
}

// lostEvent is what the attempts of one event come to.
type lostEvent struct {
	first     time.Time
	latest    management.Delivery
	delivered bool
}

// eventsOf sorts the attempts to deliver to a URL by their events. An event without an id is each
// of its attempts.
func eventsOf(log []management.Delivery, address string) []lostEvent {
	byID := map[string]*lostEvent{}
	var all []*lostEvent
	for _, d := range log {
		if d.URL != address {
			continue
		}
		id := d.Event
		if id == "" {
			id = d.ID
		}
		e := byID[id]
		if e == nil {
			e = &lostEvent{first: d.Created, latest: d}
			byID[id], all = e, append(all, e)
		}
		if d.Created.Before(e.first) {
			e.first = d.Created
		}
		if d.Created.After(e.latest.Created) {
			e.latest = d
		}
		e.delivered = e.delivered || d.Delivered()
	}
	events := make([]lostEvent, len(all))
	for i, e := range all {
		events[i] = *e
	}
	return events
}

// send has the deliveries sent again and prints a line each, and the sum.
func (r *replayer) send(ctx context.Context, lost []management.Delivery) error {
	if len(lost) == 0 {
		r.say("Nothing to send again: every event was accepted.")
		return nil
	}
	accepted := 0
	for _, d := range lost {
		var again management.Delivery
		err := r.call(ctx, func() (err error) { again, err = r.didit.Resend(ctx, d); return err })
		if err != nil && !isGone(err) {
			r.say("%s sent again, %d of them accepted; %d are left.", count(accepted, "event"), accepted, len(lost)-accepted)
			return explainReplay("Didit does not send the session "+d.SessionID+" again", err)
		}
		result := "no answer"
		switch {
		case err != nil:
			result = "Didit does not know it any more"
		case again.Delivered():
			accepted++
			result = "accepted"
		case again.Response != nil:
			result = fmt.Sprintf("status %d", *again.Response)
		}
		r.say("%s  %s  %-13s %s", d.Created.UTC().Format(time.DateTime), d.SessionID, d.Status, result)
	}
	r.say("%s sent again, %d of them accepted.", count(len(lost), "event"), accepted)
	if accepted < len(lost) {
		return fmt.Errorf("%s not accepted; run make doctor ENV=%s", count(len(lost)-accepted, "event"), r.env)
	}
	return nil
}

// isGone reports whether Didit has deleted what a call is about.
func isGone(err error) bool {
	status, ok := errors.AsType[*management.StatusError](err)
	return ok && status.Status == http.StatusNotFound
}

func count(n int, what string) string {
	switch stem, y := strings.CutSuffix(what, "y"); {
	case n == 1:
		return "1 " + what
	case y:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// call makes a call of Didit's API, some time after the one before, and again when Didit asks to
// wait.
func (r *replayer) call(ctx context.Context, work func() error) error {
	for tries := 1; ; tries++ {
		if wait := callPause - r.now().Sub(r.last); wait > 0 {
			if err := r.pause(ctx, wait); err != nil {
				return err
			}
		}
		r.last = r.now()
		err := work()
		status, ok := errors.AsType[*management.StatusError](err)
		if !ok || status.Status != http.StatusTooManyRequests || tries == maxThrottled {
			return err
		}
		wait := status.RetryAfter
		if wait <= 0 {
			wait = defaultThrottle
		}
		if err := r.pause(ctx, min(wait, maxThrottle)); err != nil {
			return err
		}
	}
}

func explainReplay(what string, err error) error {
	if errors.Is(err, management.ErrRefused) {
		return fmt.Errorf("%s: the key is refused: a scoped key needs the rights to read sessions, decisions and webhooks, and to write webhooks", what)
	}
	return diditFault(what, err)
}
