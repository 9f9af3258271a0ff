package didit

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Types of events about a session, as [WebhookEvent].Type.
const (
	TypeStatusUpdated = "status.updated"
	TypeDataUpdated   = "data.updated"
)

// Limits of what is kept of an event.
const (
	longestEventID = 128 // bytes
	longestWord    = 64  // characters of a status, a type or a feature
)

// WebhookEvent is what Didit says in a webhook, after verification. Where Didit sent nothing, or
// null, the value is nil or empty. It prints without its vendor data.
type WebhookEvent struct {
	// ID is Didit's event_id, which repetitions and resends of an event keep. Where Didit sent
	// none, it is a hash of the body without its timestamp, which they keep too.
	ID string
	// Type is [TypeStatusUpdated], [TypeDataUpdated], or another word of Didit's, clipped to 64
	// characters.
	Type string
	// Ignored reports a type that does not concern a session. Only ID and Type are set then.
	Ignored bool

	SessionID   string  // lower-case UUID
	VendorData  *string // the caller's id of the end user
	WorkflowID  *string // lower-case UUID
	Status      string  // Didit's word, at most 64 characters
	Checks      []Check // what the decision says of the workflow's features
	OccurredAt  time.Time
	Environment *string // live or sandbox
}

// event reads the envelope of a signed document (Didit: Webhooks; v1 and v2 bodies have no
// webhook_type).
func (v *Verifier) event(document jsonValue, body []byte) (WebhookEvent, error) {
	if document.kind != '{' {
		return WebhookEvent{}, malformed("not a JSON object")
	}
	kind, ok := eventType(document.member("webhook_type"))
	if !ok {
		return WebhookEvent{}, malformed("webhook_type is not a text")
	}
	e := WebhookEvent{ID: eventID(document), Type: kind}
	if kind != TypeStatusUpdated && kind != TypeDataUpdated {
		e.Ignored = true
		return e, nil
	}
	timestamp, ok := document.member("timestamp").integer()
	if !ok {
		return WebhookEvent{}, malformed("timestamp is not an integer")
	}
	e.SessionID = uuid(document.member("session_id"))
	if e.SessionID == "" {
		return WebhookEvent{}, malformed("session_id is not a UUID")
	}
	if e.Status, ok = document.member("status").string(); !ok || !isWord(e.Status) {
		return WebhookEvent{}, malformed("status is not a word")
	}
	if !v.fresh(timestamp) {
		return WebhookEvent{}, &WebhookError{Kind: WebhookStale, Reason: "the signed timestamp is too far from now"}
	}
	e.OccurredAt = occurredAt(document.member("created_at"), timestamp)
	e.VendorData = textMember(document, "vendor_data")
	e.Environment = textMember(document, "environment")
	if id := uuid(document.member("workflow_id")); id != "" {
		e.WorkflowID = &id
	}
	if decision := document.member("decision"); decision.kind == '{' {
		e.Checks = readChecks(body[decision.start:decision.end])
	}
	return e, nil
}

// eventType is the type of an event, that of a session's status where Didit names none.
func eventType(v jsonValue) (string, bool) {
	if v.kind == 0 || v.kind == 'n' {
		return TypeStatusUpdated, true
	}
	text, ok := v.string()
	if runes := []rune(text); len(runes) > longestWord {
		text = string(runes[:longestWord])
	}
	return text, ok
}

func eventID(document jsonValue) string {
	if id, ok := document.member("event_id").string(); ok && id != "" && len(id) <= longestEventID {
		return id
	}
	document.members = slices.DeleteFunc(slices.Clone(document.members), func(m jsonMember) bool {
		return m.name == "timestamp"
	})
	sum := sha256.Sum256(document.canonical())
	return hex.EncodeToString(sum[:])
}

// fresh compares whole seconds, as the timestamp has no others.
func (v *Verifier) fresh(timestamp int64) bool {
	tolerance := v.Tolerance
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	now, seconds := wallNow(v.Now).Unix(), int64(tolerance/time.Second)
	return now-seconds <= timestamp && timestamp <= now+seconds
}

// occurredAt is the event's own time. A resend gets a fresh timestamp and keeps its created_at.
func occurredAt(createdAt jsonValue, timestamp int64) time.Time {
	if created, ok := createdAt.integer(); ok && created > 0 && created < timestamp {
		timestamp = created
	}
	return time.Unix(timestamp, 0).UTC()
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// uuid is the lower-case form of a UUID, or "".
func uuid(v jsonValue) string {
	if v.kind != '"' || !uuidForm.MatchString(v.text) {
		return ""
	}
	return strings.ToLower(v.text)
}

func textMember(document jsonValue, name string) *string {
	text, ok := document.member(name).string()
	if !ok {
		return nil
	}
	return &text
}

// isWord reports whether a text may be one of Didit's words: short, and on one line.
func isWord(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= longestWord &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F })
}
