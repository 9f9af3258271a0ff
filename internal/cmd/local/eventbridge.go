package main

import (
	"context"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
)

// follow delivers the events on the bus as the rule of template.yaml does: trackstatus gets those
// of a status, in EventBridge's form, until it succeeds, at most three times.
func (b *backend) follow(track function) {
	b.bus.Subscribe(func(ctx context.Context, e verification.Event) error {
		if e.DetailType() != verification.DetailStatusUpdated {
			return nil
		}
		detail, err := verification.EncodeDetail(e)
		if err != nil {
			return err
		}
		event := awsfake.BusEvent{
			ID: e.ID, Source: verification.EventSource, DetailType: e.DetailType(), Detail: detail, Time: e.OccurredAt,
		}
		_, err = track.Invoke(ctx, event.Payload())
		return err
	})
}
