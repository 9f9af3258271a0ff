package lambdatest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// EventBridge plays AWS EventBridge's PutEvents, in the AWS JSON 1.1 protocol,
// with faults on demand. It is an [http.Handler]; Start puts it on loopback by
// itself. A function finds it by the variable AWS_ENDPOINT_URL_EVENTBRIDGE.
//
// It has no rules and delivers to nobody: what was put, [EventBridge.Events]
// returns, and [BusEvent.Payload] is what a function gets of it. As in AWS, a
// bus that does not exist takes events too.
//
// Requests must be signed (Signature Version 4), but signatures are not
// verified. It prints, logs and encodes without its events.
//
// The zero value is ready to use. All methods may be called from several
// goroutines; an EventBridge must not be copied.
type EventBridge struct {
	mu     sync.Mutex
	events []BusEvent
	calls  int
	faults faultQueue

	server *http.Server
	url    string
}

// BusEvent is an event that EventBridge took. It prints without its detail.
type BusEvent struct {
	ID         string // EventBridge's own
	Bus        string // as the request named it, by name or ARN; "default" where it named none
	Source     string
	DetailType string
	Detail     json.RawMessage // a JSON object
	Resources  []string
	Time       time.Time // as the request said, or else when it came in
}

// Payload is what EventBridge passes to a function (EventBridge: events
// structure).
func (e BusEvent) Payload() json.RawMessage {
	resources := e.Resources
	if resources == nil {
		resources = []string{}
	}
	payload, _ := json.Marshal(map[string]any{
		"version": "0", "id": e.ID, "detail-type": e.DetailType, "source": e.Source, "account": Account,
		"time": e.Time.UTC().Format("2006-01-02T15:04:05Z"), "region": Region, "resources": resources, "detail": e.Detail,
	})
	return payload
}

// Format prints the event's id and detail type alone, for every verb.
func (e BusEvent) Format(f fmt.State, _ rune) {
	io.WriteString(f, "event "+e.ID+" ("+e.DetailType+")")
}

// Events returns what was put, in the order of putting.
func (b *EventBridge) Events() []BusEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// Calls returns how many PutEvents requests have come in, refused and faulted
// ones included.
func (b *EventBridge) Calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// Fail makes the next n requests end in fault, or all of them with
// [UntilCleared]. Faults of several calls follow one another; n of 0 adds none.
func (b *EventBridge) Fail(fault Fault, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults.add(fault, n, "")
}

// ClearFaults lets requests succeed again. One that Silence holds stays held.
func (b *EventBridge) ClearFaults() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (b *EventBridge) Start() error {
	server, address, err := serve(b)
	if err != nil {
		return fmt.Errorf("start EventBridge: %w", err)
	}
	b.server, b.url = server, "http://"+address
	return nil
}

// URL is the endpoint after Start, without a slash at its end.
func (b *EventBridge) URL() string { return b.url }

// Close ends what Start began, requests kept waiting by a fault included. It
// does nothing without Start.
func (b *EventBridge) Close() {
	if b.server != nil {
		b.server.Close()
	}
}

// String names the type only.
func (b *EventBridge) String() string { return "lambdatest.EventBridge(redacted)" }

// GoString names the type only.
func (b *EventBridge) GoString() string { return b.String() }

// LogValue names the type only.
func (b *EventBridge) LogValue() slog.Value { return slog.StringValue(b.String()) }

// MarshalText names the type only.
func (b *EventBridge) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
