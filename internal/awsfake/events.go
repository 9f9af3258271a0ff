package awsfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// EventBridge is a fake of AWS EventBridge with the operation PutEvents. It has no rules and
// delivers nothing: [EventBridge.Events] returns what was put, and [BusEvent.Payload] what a
// function would get. As in AWS, a bus that does not exist accepts events too. A function finds it
// by the variable AWS_ENDPOINT_URL_EVENTBRIDGE.
type EventBridge struct {
	Service

	mu     sync.Mutex
	events []BusEvent
}

// BusEvent is an event that was put. It prints without its detail.
type BusEvent struct {
	ID         string // EventBridge's own
	Bus        string // name or ARN, as in the request; "default" if it has none
	Source     string
	DetailType string
	Detail     json.RawMessage // a JSON object
	Time       time.Time       // when it arrived
}

// Payload returns what EventBridge passes to a function (EventBridge: events structure).
func (e BusEvent) Payload() json.RawMessage {
	payload, _ := json.Marshal(map[string]any{
		"version": "0", "id": e.ID, "detail-type": e.DetailType, "source": e.Source, "account": Account,
		"time": e.Time.UTC().Format("2006-01-02T15:04:05Z"), "region": Region, "resources": []string{}, "detail": e.Detail,
	})
	return payload
}

// Format prints the event's id and detail type only, for every verb.
func (e BusEvent) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "event "+e.ID+" ("+e.DetailType+")")
}

// Events returns the events in the order of their arrival.
func (b *EventBridge) Events() []BusEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// Start serves on a free port of 127.0.0.1 until Close. It may be called once.
func (b *EventBridge) Start() error { return b.Listen(b) }

var eventsProtocol = Protocol{
	ContentType: "application/x-amz-json-1.1", Target: "AWSEvents", Name: "events", MaxBytes: 2 << 20,
	Resource: "arn:aws:events:" + Region + ":" + Account + ":event-bus/didit",
	Faults: map[Fault]Refusal{
		InternalError: {500, "InternalException", "An internal error occurred."},
		NotFound:      {400, "ResourceNotFoundException", "Event bus does not exist."},
	},
}

// failedEntries are the results of entries with a fault.
var failedEntries = map[Fault]putResult{
	EntryFailed:    {ErrorCode: "InternalFailure", ErrorMessage: "Internal failure."},
	EntryThrottled: {ErrorCode: "ThrottlingException", ErrorMessage: "Rate exceeded."},
	EntryDenied:    {ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."},
}

// Limits of PutEvents (EventBridge: PutEvents, quotas).
const (
	maxEntries = 10
	// maxEntryBytes is the limit for all entries of a request that held for years. AWS has raised
	// it to 1 MB. It counts source, detail type and detail.
	maxEntryBytes = 256 << 10
	maxDetailType = 128 // characters
)

// putEntry is an entry of a PutEvents request. It has neither Resources nor Time.
type putEntry struct {
	Source, DetailType, Detail string
	EventBusName               *string // nil: the default bus
}

// putResult is the result of an entry.
type putResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// ServeHTTP answers a PutEvents request.
func (b *EventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	eventsProtocol.Serve(w, r, b.putEvents)
}

func (b *EventBridge) putEvents(r *Request) (any, error) {
	if r.Operation != "PutEvents" {
		return nil, ErrUnknownOperation
	}
	var request struct{ Entries []putEntry }
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	fault := b.Count("PutEvents")
	if _, ok := failedEntries[fault]; !ok && fault != 0 {
		return nil, fault
	}
	if message := refuseEntries(request.Entries); message != "" {
		return nil, Refuse("ValidationException", message)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	failed, results := 0, make([]putResult, 0, len(request.Entries))
	for _, entry := range request.Entries {
		result := entry.check(fault)
		if result.ErrorCode != "" {
			failed++
		} else {
			result.EventID = NewID()
			b.events = append(b.events, BusEvent{
				ID: result.EventID, Bus: orDefault(entry.EventBusName, "default"), Source: entry.Source,
				DetailType: entry.DetailType, Detail: json.RawMessage(entry.Detail), Time: time.Now().UTC(),
			})
		}
		results = append(results, result)
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": results}, nil
}

// refuseEntries returns why the whole request is refused; empty if it is not.
func refuseEntries(entries []putEntry) string {
	size := 0
	for _, entry := range entries {
		if orDefault(entry.EventBusName, "default") == "" {
			return "1 validation error detected: Value '' at 'entries.1.member.eventBusName' failed to satisfy constraint: Member must have length greater than or equal to 1"
		}
		size += len(entry.Source) + len(entry.DetailType) + len(entry.Detail)
	}
	switch {
	case len(entries) == 0:
		return "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1"
	case len(entries) > maxEntries:
		return "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"
	case size > maxEntryBytes:
		return "Total size of the entries in the request is over the limit."
	}
	return ""
}

// check returns why the entry fails, by itself or by the fault. An empty code means that it is put.
func (e putEntry) check(fault Fault) putResult {
	for name, text := range map[string]string{"Source": e.Source, "DetailType": e.DetailType, "Detail": e.Detail} {
		if text == "" {
			return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter " + name + " is not valid. Reason: " + name + " is a required argument."}
		}
	}
	var object map[string]json.RawMessage
	switch {
	case fault != 0:
		return failedEntries[fault]
	case strings.HasPrefix(e.Source, "aws."):
		return failedEntries[EntryDenied]
	case utf8.RuneCountInString(e.DetailType) > maxDetailType:
		return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter DetailType is not valid. Reason: DetailType is longer than 128 characters."}
	case json.Unmarshal([]byte(e.Detail), &object) != nil || object == nil:
		return putResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	return putResult{}
}
