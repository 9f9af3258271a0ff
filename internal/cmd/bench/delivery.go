package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
)

// deliverySize is about how large the body of a delivery with all features is, in bytes.
const deliverySize = 40 << 10

// delivery is API Gateway's payload for a delivery, which is changed and signed for each call.
type delivery struct {
	mu      sync.Mutex
	sent    int
	payload map[string]any
	headers map[string]any
	body    map[string]any
}

// deliveries returns a function that makes new deliveries of a recorded one: each signed now, with
// an event id of its own and a body of deliverySize. The function is safe for concurrent use.
func deliveries(event []byte) (func() ([]byte, error), error) {
	d := &delivery{}
	if err := json.Unmarshal(event, &d.payload); err != nil {
		return nil, err
	}
	text, _ := d.payload["body"].(string)
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&d.body); err != nil {
		return nil, fmt.Errorf("the recorded body: %w", err)
	}
	decision, ok := d.body["decision"].(map[string]any)
	if d.headers, _ = d.payload["headers"].(map[string]any); !ok || d.headers == nil {
		return nil, errors.New("the recorded delivery has no decision, or no headers")
	}
	decision["aml_screenings"] = []any{map[string]any{"node_id": "feature_aml", "status": "Approved",
		"hits": slices.Repeat([]any{screeningHit}, (deliverySize-len(text))/len(screeningHit)+1)}}
	return d.next, nil
}

// screeningHit is a hit of a screening of a common name.
var screeningHit = json.RawMessage(`{"id":"hit-000001","caption":"Carmen Española","match_score":41.5,"countries":["ES","PT"],` +
	`"datasets":["PEP","SANCTIONS","WARNINGS"],"first_seen":"2020-01-01T00:00:00","last_seen":"2025-12-01T00:00:00",` +
	`"url":"https://example.com/lists/entries/000001","review_status":"False Positive",` +
	`"summary":"Shares a name with a person on this list; the dates of birth are years apart, and so is the place."}`)

func (d *delivery) next() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent++
	now := strconv.FormatInt(time.Now().Unix(), 10)
	d.body["event_id"], d.body["timestamp"] = fmt.Sprintf("88888888-2222-3333-4444-%012d", d.sent), json.Number(now)
	body, err := json.Marshal(d.body)
	if err != nil {
		return nil, err
	}
	signature, v2, err := didit.SignWebhook(body, stage.WebhookSecret)
	if err != nil {
		return nil, err
	}
	d.headers["x-signature"], d.headers["x-signature-v2"], d.headers["x-timestamp"] = signature, v2, now
	d.payload["body"] = string(body)
	return json.Marshal(d.payload)
}
