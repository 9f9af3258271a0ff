package main

import (
	"context"
	"encoding/json"
	"time"

	"didit-sessions/internal/verification"
)

// follow has the events on the bus handled as the rules of template.yaml say: trackstatus gets those
// of a status, in EventBridge's form, until it answers without an error, three times at most.
func (b *backend) follow(track function) {
	b.bus.Subscribe(func(ctx context.Context, e verification.Event) error {
		if e.DetailType() != verification.DetailStatusUpdated {
			return nil
		}
		payload, err := rulePayload(e)
		if err != nil {
			return err
		}
		_, err = track.Invoke(ctx, payload)
		return err
	})
}

// rulePayload is what EventBridge invokes a rule's target with (EventBridge: AWS service event
// metadata).
func rulePayload(e verification.Event) ([]byte, error) {
	detail, err := verification.EncodeDetail(e)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"version": "0", "id": e.ID, "detail-type": e.DetailType(), "source": verification.EventSource,
		"account": accountID, "time": e.OccurredAt.Format(time.RFC3339), "region": "local", "resources": []string{},
		"detail": json.RawMessage(detail),
	})
}
