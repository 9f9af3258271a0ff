package verification

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event reports that a session changed, or that an end user was erased. It holds ids and statuses,
// and no document data. It prints
// without the vendor data. [EncodeDetail] encodes it; as a JSON value it is redacted.
type Event struct {
	hidden
	// ID is the same on every delivery and resend of one event.
	ID string
	// DataUpdated is true if a reviewer changed data, false if the status was set.
	DataUpdated bool
	// UserErased is true if the event is about the end user of VendorData, who was erased, and not
	// about a session: it has an id and a time beside that, and nothing else.
	UserErased bool
	// Recorded is true if the session is on record: created through this backend, or awaited by a
	// trusted workflow.
	Recorded   bool
	SessionID  string // lower-case UUID
	VendorData string // empty: not known
	WorkflowID string // empty: not known
	Status     string
	Checks     []Check   // empty: not known
	OccurredAt time.Time // UTC, whole seconds
	// SentAt is when the delivery was signed, and when a read began: UTC, whole seconds.
	SentAt      time.Time
	Environment string // empty: not known
}

// Detail types and source of events on the bus.
const (
	EventSource            = "didit.sessions"
	DetailStatusUpdated    = "Verification Session Status Updated"
	DetailDataUpdated      = "Verification Session Data Updated"
	DetailUserErased       = "Verification User Erased"
	DetailUnrecordedUpdate = "Unrecorded Verification Session Updated"
)

// DetailType returns the detail type under which the event is published.
func (e Event) DetailType() string {
	switch {
	case e.UserErased:
		return DetailUserErased
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
	SentAt      string  `json:"sent_at"`
	Environment *string `json:"environment"`
}

// erasedDetail is the JSON of an event about an erased end user.
type erasedDetail struct {
	EventID    string `json:"event_id"`
	VendorData string `json:"vendor_data"`
	OccurredAt string `json:"occurred_at"`
}

// EncodeDetail returns the event's detail as it is published: JSON in which missing values are
// null, and checks are always an array.
func EncodeDetail(e Event) ([]byte, error) {
	if e.UserErased {
		return EncodeJSON(erasedDetail{e.ID, e.VendorData, secondText(e.OccurredAt)})
	}
	checks := e.Checks
	if checks == nil {
		checks = []Check{}
	}
	return EncodeJSON(detail{e.ID, e.SessionID, optional(e.VendorData), optional(e.WorkflowID), e.Status, checks,
		secondText(e.OccurredAt), secondText(e.SentAt), optional(e.Environment)})
}

func secondText(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// DecodeDetail decodes an event that was published under the detail type. It returns an [*Error]
// with code invalid_request that names every missing or malformed field.
func DecodeDetail(detailType string, text []byte) (Event, error) {
	var d detail
	if err := json.Unmarshal(text, &d); err != nil {
		return Event{}, invalidField("detail", "is not an event of this backend.")
	}
	e := Event{
		ID: d.EventID, DataUpdated: detailType == DetailDataUpdated, UserErased: detailType == DetailUserErased,
		Recorded:  detailType == DetailStatusUpdated || detailType == DetailDataUpdated,
		SessionID: strings.ToLower(d.SessionID), VendorData: valueOf(d.VendorData), WorkflowID: valueOf(d.WorkflowID),
		Status: d.Status, Checks: d.Checks, Environment: valueOf(d.Environment),
	}
	var invalid []FieldError
	refuse := func(field, message string) {
		invalid = append(invalid, FieldError{Field: "detail." + field, Message: message})
	}
	if !slices.Contains([]string{DetailStatusUpdated, DetailDataUpdated, DetailUserErased, DetailUnrecordedUpdate}, detailType) {
		invalid = append(invalid, FieldError{Field: "detail-type", Message: "is not one of this backend."})
	}
	if e.ID == "" {
		refuse("event_id", "is required.")
	}
	switch {
	case e.UserErased && e.VendorData == "":
		refuse("vendor_data", "is required.")
	case e.UserErased:
	case !ValidUUID(e.SessionID):
		refuse("session_id", "must be a UUID.")
	}
	if e.Status == "" && !e.UserErased {
		refuse("status", "is required.")
	}
	second := func(field, text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			refuse(field, "must be a time such as 2026-11-23T12:00:00Z.")
		}
		return at.UTC().Truncate(time.Second)
	}
	e.OccurredAt = second("occurred_at", d.OccurredAt)
	if e.SentAt = e.OccurredAt; d.SentAt != "" { // events of the version before had none
		e.SentAt = second("sent_at", d.SentAt)
	}
	if len(invalid) > 0 {
		return Event{}, &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	return e, nil
}

// readPrefix begins the id of an event that was read at Didit instead of delivered. Such an event
// loses to every delivered one of its second.
const readPrefix = "read:"

// readID returns the id of an event that was read at Didit while the record had that news. It is
// the same for two readers that see the same status in one second, so that they publish one event.
func readID(sessionID, status string, at time.Time, news int64) string {
	sum := sha256.Sum256([]byte(sessionID + "\n" + status + "\n" + strconv.FormatInt(at.Unix(), 10)))
	return readPrefix + strconv.FormatInt(news, 10) + ":" + hex.EncodeToString(sum[:16])
}

// readNews returns the news of the record when the read that the event reports began.
func (e Event) readNews() int64 {
	news, _, _ := strings.Cut(strings.TrimPrefix(e.ID, readPrefix), ":")
	n, err := strconv.ParseInt(news, 10, 64)
	if err != nil {
		return -1 // of the version before: something may have been recorded meanwhile
	}
	return n
}

// isRead reports whether the event was read at Didit, and not delivered by a webhook.
func (e Event) isRead() bool { return strings.HasPrefix(e.ID, readPrefix) }

// withOwner fills in owner and workflow from the record, which is authoritative.
func (e Event) withOwner(r Record, found bool) Event {
	e.Recorded = found
	e.VendorData = cmp.Or(r.VendorData, e.VendorData)
	e.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	return e
}

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
