package didit

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"didit-sessions/internal/strictjson"
)

// Types of events about a session, as [WebhookEvent].Type.
const (
	TypeStatusUpdated = "status.updated"
	TypeDataUpdated   = "data.updated"
)

// maxEventIDBytes is the length from which on an event's id is replaced by a hash.
const maxEventIDBytes = 128

// WebhookEvent is the content of a webhook after verification. Where Didit sent nothing, or null,
// the value is nil or empty. It prints without its vendor data.
type WebhookEvent struct {
	hidden
	// ID is Didit's event_id, which all deliveries of an event have in common, resends included.
	// Where Didit sent none, it is a hash of the body without its timestamp, which they share, too.
	ID string
	// Type is [TypeStatusUpdated], [TypeDataUpdated], or another word of Didit's, clipped to 64
	// characters.
	Type string
	// Ignored reports a type that does not concern a session. Only ID and Type are set then.
	Ignored bool
	// PreviousSecret reports that Didit has a newer secret than the ones it was verified with: the
	// newer one must be stored within 24 hours of the rotation. It is set whatever the type.
	PreviousSecret bool

	SessionID   string  // lower-case UUID
	VendorData  *string // the caller's id of the end user
	WorkflowID  *string // lower-case UUID
	Status      string  // Didit's word, at most 64 characters
	Checks      []Check // the nodes of the workflow, as far as the decision names them
	OccurredAt  time.Time
	SentAt      time.Time // the signed time of the delivery
	Environment *string   // live or sandbox
}

// event reads the envelope of a signed document (Didit: Webhooks; v1 and v2 bodies have no
// webhook_type).
func (v *Verifier) event(document strictjson.Value) (WebhookEvent, error) {
	if document.Kind() != strictjson.Object {
		return WebhookEvent{}, malformed("not a JSON object")
	}
	kind, ok := eventType(document.Get("webhook_type"))
	if !ok {
		return WebhookEvent{}, malformed("webhook_type is not a string")
	}
	e := WebhookEvent{ID: eventID(document), Type: kind}
	if kind != TypeStatusUpdated && kind != TypeDataUpdated {
		e.Ignored = true
		return e, nil
	}
	sessionID := uuid(document.Get("session_id"))
	status, isString := unicodeText(document.Get("status"))
	timestamp, isInteger := unixTime(document.Get("timestamp"))
	switch {
	case !isInteger:
		return WebhookEvent{}, malformed("timestamp is not an integer")
	case sessionID == nil:
		return WebhookEvent{}, malformed("session_id is not a UUID")
	case !isString || !isWord(status):
		return WebhookEvent{}, malformed("status is not a short string")
	case !v.isFresh(timestamp):
		return WebhookEvent{}, &WebhookError{Kind: WebhookStale, Reason: "the signed timestamp is too far from now"}
	}
	e.SessionID, e.Status = *sessionID, status
	e.OccurredAt = occurredAt(document.Get("created_at"), timestamp)
	e.SentAt = time.Unix(timestamp, 0).UTC()
	e.VendorData = optionalText(document.Get("vendor_data"))
	e.Environment = optionalText(document.Get("environment"))
	e.WorkflowID = uuid(document.Get("workflow_id"))
	e.Checks = readChecks(document.Get("decision"))
	return e, nil
}

// eventType returns the type of an event, that of a session's status where Didit names none.
func eventType(v strictjson.Value) (kind string, ok bool) {
	if v.Kind() == strictjson.Missing || v.Kind() == strictjson.Null {
		return TypeStatusUpdated, true
	}
	kind, ok = unicodeText(v)
	if runes := []rune(kind); len(runes) > maxWord {
		kind = string(runes[:maxWord])
	}
	return kind, ok
}

func eventID(document strictjson.Value) string {
	if id, ok := unicodeText(document.Get("event_id")); ok && id != "" && len(id) <= maxEventIDBytes {
		return id
	}
	members := slices.DeleteFunc(sortedMembers(document), func(m member) bool { return m.name.Text() == "timestamp" })
	sum := sha256.Sum256(appendObject(nil, members, func(to, number []byte) []byte {
		if !isSimple(number) {
			return append(to, number...)
		}
		return appendPython(to, number)
	}))
	return hex.EncodeToString(sum[:])
}

// isFresh compares whole seconds, as the timestamp has no others.
func (v *Verifier) isFresh(timestamp int64) bool {
	tolerance := v.Tolerance
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	now, seconds := wallNow(v.Now).Unix(), int64(tolerance/time.Second)
	return now-seconds <= timestamp && timestamp <= now+seconds
}

// unixTime returns a whole number that fits into 64 bits, written as an integer or as a float.
func unixTime(v strictjson.Value) (seconds int64, ok bool) {
	text := v.Raw()
	if v.Kind() == strictjson.Number && isSimple(text) {
		text = pythonNumber(text)
	}
	seconds, err := strconv.ParseInt(string(text), 10, 64)
	return seconds, err == nil
}

// occurredAt returns the event's own time. A resend gets a fresh timestamp and keeps its
// created_at.
func occurredAt(createdAt strictjson.Value, timestamp int64) time.Time {
	if created, ok := unixTime(createdAt); ok && created > 0 && created < timestamp {
		timestamp = created
	}
	return time.Unix(timestamp, 0).UTC()
}
