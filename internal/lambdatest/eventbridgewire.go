package lambdatest

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of PutEvents (EventBridge: PutEvents, quotas).
const (
	mostEntries = 10
	// mostEntryBytes is the limit that held for years, for all entries of a
	// request. AWS has raised it since, to 1 MB.
	mostEntryBytes = 256 << 10
	mostDetailType = 128 // characters
)

var eventsProtocol = awsJSON{
	contentType: "application/x-amz-json-1.1", target: "AWSEvents", name: "events", mostBytes: 2 << 20, internal: "InternalException",
}

// putEntry is an entry of a PutEvents request; nil is absent.
type putEntry struct {
	Source, DetailType, Detail, EventBusName *string
	Resources                                []string
	Time                                     *float64 // seconds since 1970
}

// putResult is what becomes of an entry.
type putResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// ServeHTTP answers a PutEvents request, or with the pending fault.
func (b *EventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, body, ok := eventsProtocol.read(w, r)
	if !ok {
		return
	}
	if operation != "PutEvents" {
		eventsProtocol.refuse(w, 400, "UnknownOperationException", "")
		return
	}
	var request struct{ Entries []putEntry }
	if err := json.Unmarshal(body, &request); err != nil {
		eventsProtocol.refuse(w, 400, "SerializationException", "")
		return
	}
	fault := b.count()
	switch fault {
	case 0:
	case EntryFailed, EntryThrottled, EntryDenied:
	case NotFound:
		eventsProtocol.refuse(w, 400, "ResourceNotFoundException", "Event bus does not exist.")
		return
	default:
		eventsProtocol.strike(w, r, fault, operation, "arn:aws:events:"+Region+":"+Account+":event-bus/didit")
		return
	}
	if message := refuseEntries(request.Entries); message != "" {
		eventsProtocol.refuse(w, 400, "ValidationException", message)
		return
	}
	b.put(w, request.Entries, fault)
}

func (b *EventBridge) count() Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	return b.faults.next("")
}

// put keeps the entries that are in order, and answers.
func (b *EventBridge) put(w http.ResponseWriter, entries []putEntry, fault Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed, results := 0, make([]putResult, 0, len(entries))
	for _, entry := range entries {
		result := entry.refused(fault)
		if result.ErrorCode != "" {
			failed++
		} else {
			result.EventID = newRequestID()
			b.events = append(b.events, entry.event(result.EventID))
		}
		results = append(results, result)
	}
	eventsProtocol.reply(w, map[string]any{"FailedEntryCount": failed, "Entries": results})
}

// refuseEntries says why the whole request is refused, or nothing.
func refuseEntries(entries []putEntry) string {
	size := 0
	for _, entry := range entries {
		if entry.EventBusName != nil && *entry.EventBusName == "" {
			return "1 validation error detected: Value '' at 'entries.1.member.eventBusName' failed to satisfy constraint: Member must have length greater than or equal to 1"
		}
		size += entry.size()
	}
	switch {
	case len(entries) == 0:
		return "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1"
	case len(entries) > mostEntries:
		return "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"
	case size > mostEntryBytes:
		return "Total size of the entries in the request is over the limit."
	}
	return ""
}

// size is the entry's size in bytes, as AWS counts it (EventBridge: calculating
// PutEvents event entry size).
func (e putEntry) size() int {
	size := 0
	if e.Time != nil {
		size = 14
	}
	for _, text := range []*string{e.Source, e.DetailType, e.Detail} {
		if text != nil {
			size += len(*text)
		}
	}
	for _, resource := range e.Resources {
		size += len(resource)
	}
	return size
}

// refused says why the entry fails, of itself or by the fault; an empty code is none.
func (e putEntry) refused(fault Fault) putResult {
	for _, required := range []struct {
		name string
		text *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if required.text == nil || *required.text == "" {
			return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter " + required.name + " is not valid. Reason: " + required.name + " is a required argument."}
		}
	}
	var object map[string]json.RawMessage
	switch {
	case fault == EntryFailed:
		return putResult{ErrorCode: "InternalFailure", ErrorMessage: "Internal failure."}
	case fault == EntryThrottled:
		return putResult{ErrorCode: "ThrottlingException", ErrorMessage: "Rate exceeded."}
	case fault == EntryDenied || strings.HasPrefix(*e.Source, "aws."):
		return putResult{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	case utf8.RuneCountInString(*e.DetailType) > mostDetailType:
		return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter DetailType is not valid. Reason: DetailType is longer than 128 characters."}
	case json.Unmarshal([]byte(*e.Detail), &object) != nil || object == nil:
		return putResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	return putResult{}
}

func (e putEntry) event(id string) BusEvent {
	event := BusEvent{
		ID: id, Bus: "default", Source: *e.Source, DetailType: *e.DetailType, Detail: json.RawMessage(*e.Detail),
		Resources: e.Resources, Time: time.Now().UTC(),
	}
	if e.EventBusName != nil {
		event.Bus = *e.EventBusName
	}
	if e.Time != nil {
		seconds, fraction := math.Modf(*e.Time)
		event.Time = time.Unix(int64(seconds), int64(fraction*1e9)).UTC()
	}
	return event
}
