package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
)

// received is what a webhook's verifier sees of a payload.
type received struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func (r received) header() http.Header {
	h := http.Header{}
	for name, value := range r.Headers {
		h.Set(name, value)
	}
	return h
}

func recordedDelivery(t *testing.T) []byte {
	t.Helper()
	event, err := os.ReadFile("../../../events/webhook-http-approved.json")
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// Ensure that every delivery is signed now, has an event id of its own, is about the session on
// record, and has the size of a real one; also when several goroutines ask for them.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	next, err := deliveries(recordedDelivery(t))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Unix()
	const n = 20
	payloads := make([][]byte, n)
	var making sync.WaitGroup
	for i := range n {
		making.Go(func() { payloads[i], _ = next() })
	}
	making.Wait()
	end := time.Now().Unix()
	events := map[string]bool{}
	for _, payload := range payloads {
		var r received
		if err := json.Unmarshal(payload, &r); err != nil {
			t.Fatal(err)
		}
		var body struct {
			EventID   string `json:"event_id"`
			SessionID string `json:"session_id"`
			Timestamp int64  `json:"timestamp"`
		}
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Fatal(err)
		}
		events[body.EventID] = true
		signature, v2, err := didit.SignWebhook([]byte(r.Body), stage.WebhookSecret)
		if err != nil || r.header().Get("X-Signature") != signature || r.header().Get("X-Signature-V2") != v2 {
			t.Errorf("got headers %v, %v, want %s and %s", r.Headers, err, signature, v2)
		}
		if body.Timestamp < begin || body.Timestamp > end || body.SessionID != recordedID {
			t.Errorf("got a delivery of session %s at %d, want %s at %d to %d", body.SessionID, body.Timestamp, recordedID, begin, end)
		}
		if size := len(r.Body); size < deliverySize || size > deliverySize+1<<10 {
			t.Errorf("the body has %d bytes, want about %d", size, deliverySize)
		}
	}
	if len(events) != n {
		t.Errorf("got %d events, want %d", len(events), n)
	}
}

func TestDeliveries_wrong(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]string{
		"no JSON": "x", "no body": `{"headers":{}}`, "body no JSON": `{"headers":{},"body":"x"}`,
		"no decision": `{"headers":{},"body":"{}"}`, "no headers": strings.Replace(string(recordedDelivery(t)), `"headers"`, `"header"`, 1),
	} {
		if _, err := deliveries([]byte(event)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
