package verification

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check is what became of one part of a verification.
type Check struct {
	Feature string  `json:"feature"` // Didit's word, as ID_VERIFICATION
	Status  *string `json:"status"`  // Didit's word; nil where nothing is known
}

// Event says that a session changed. It holds ids and statuses, and no document data. It prints
// without the vendor data.
type Event struct {
	// ID is the same on every delivery and resend of one event.
	ID string
	// DataUpdated tells that a reviewer changed data; otherwise the status was set.
	DataUpdated bool
	// Recorded tells that the session is on record: created through this backend, or awaited by
	// a trusted workflow.
	Recorded    bool
	SessionID   string // lower-case UUID
	VendorData  string // empty: not known
	WorkflowID  string // empty: not known
	Status      string
	Checks      []Check   // empty: nothing is known
	OccurredAt  time.Time // UTC, whole seconds
	Environment string    // empty: not known
}

// Detail types and source of events on the bus.
const (
	EventSource            = "didit.sessions"
	DetailStatusUpdated    = "Verification Session Status Updated"
	DetailDataUpdated      = "Verification Session Data Updated"
	DetailUnrecordedUpdate = "Unrecorded Verification Session Updated"
)

// DetailType names the event on the bus.
func (e Event) DetailType() string {
	switch {
	case !e.Recorded:
		return DetailUnrecordedUpdate
	case e.DataUpdated:
		return DetailDataUpdated
	default:
		return DetailStatusUpdated
	}
}

// detail is the event's JSON on the bus.
type detail struct {
	EventID     string  `json:"event_id"`
	SessionID   string  `json:"session_id"`
	VendorData  *string `json:"vendor_data"`
	WorkflowID  *string `json:"workflow_id"`
	Status      string  `json:"status"`
	Checks      []Check `json:"checks"`
	OccurredAt  string  `json:"occurred_at"`
	Environment *string `json:"environment"`
}

// EncodeDetail is the event's detail as it is published: JSON, missing values null, checks a list
// always.
func EncodeDetail(e Event) ([]byte, error) {
	checks := e.Checks
	if checks == nil {
		checks = []Check{}
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(detail{e.ID, e.SessionID, optional(e.VendorData), optional(e.WorkflowID), e.Status, checks,
		e.OccurredAt.UTC().Truncate(time.Second).Format(time.RFC3339), optional(e.Environment)})
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

// DecodeDetail reads an event that was published under the detail type. It returns an [*Error]
// with code invalid_request that names what is missing.
func DecodeDetail(detailType string, text []byte) (Event, error) {
	var d detail
	if err := json.Unmarshal(text, &d); err != nil {
		return Event{}, &Error{Code: CodeInvalidRequest, Fields: []FieldError{{Field: "detail", Message: "is not an event of this backend."}}}
	}
	e := Event{
		ID: d.EventID, DataUpdated: detailType == DetailDataUpdated, Recorded: detailType != DetailUnrecordedUpdate,
		SessionID: strings.ToLower(d.SessionID), VendorData: valueOf(d.VendorData), WorkflowID: valueOf(d.WorkflowID),
		Status: d.Status, Checks: d.Checks, Environment: valueOf(d.Environment),
	}
	var invalid []FieldError
	refuse := func(field, message string) {
		invalid = append(invalid, FieldError{Field: "detail." + field, Message: message})
	}
	if !slices.Contains([]string{DetailStatusUpdated, DetailDataUpdated, DetailUnrecordedUpdate}, detailType) {
		invalid = append(invalid, FieldError{Field: "detail-type", Message: "is not one of this backend."})
	}
	if e.ID == "" {
		refuse("event_id", "is required.")
	}
	if !ValidUUID(e.SessionID) {
		refuse("session_id", "must be a UUID.")
	}
	if e.Status == "" {
		refuse("status", "is required.")
	}
	at, err := time.Parse(time.RFC3339, d.OccurredAt)
	if err != nil {
		refuse("occurred_at", "must be a time such as 2026-11-23T12:00:00Z.")
	}
	if len(invalid) > 0 {
		return Event{}, &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	e.OccurredAt = at.UTC().Truncate(time.Second)
	return e, nil
}

// readPrefix begins the id of an event that was not delivered but read at Didit. Such an event
// loses to every delivered one of its second.
const readPrefix = "read:"

// readID is the id of what was read of a session: two readers that see the same in one second
// publish one event.
func readID(sessionID, status string, at time.Time) string {
	sum := sha256.Sum256([]byte(sessionID + "\n" + status + "\n" + strconv.FormatInt(at.Unix(), 10)))
	return readPrefix + hex.EncodeToString(sum[:16])
}

// read reports whether the event was read at Didit, and not delivered by a webhook.
func (e Event) read() bool { return strings.HasPrefix(e.ID, readPrefix) }

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func valueOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
