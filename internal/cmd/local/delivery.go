package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// maxRecordWait is how long the delivery about a new session waits for its record.
const maxRecordWait = 300 * time.Millisecond

// deliveries carries webhooks to the gateway. At Didit a webhook takes longer than the answer to
// the request that caused it; here the one about a new session would arrive before the session is
// on record, and so waits for that. Sessions that this backend did not create never are.
type deliveries struct {
	http.RoundTripper
	system *system
}

func (d deliveries) RoundTrip(r *http.Request) (*http.Response, error) {
	d.awaitRecord(r)
	return d.RoundTripper.RoundTrip(r)
}

func (d deliveries) awaitRecord(r *http.Request) {
	var event struct {
		SessionID string `json:"session_id"`
	}
	if body, err := r.GetBody(); err != nil || json.NewDecoder(io.LimitReader(body, maxShownBody)).Decode(&event) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxRecordWait)
	defer cancel()
	for ctx.Err() == nil {
		_, version := d.system.watch.timeline.since(0)
		if _, found, err := d.system.store.Record(ctx, event.SessionID); found || err != nil {
			return
		}
		d.system.watch.timeline.wait(ctx, version)
	}
}
