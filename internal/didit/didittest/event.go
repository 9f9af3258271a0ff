package didittest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Types of events.
const (
	statusUpdated = "status.updated"
	dataUpdated   = "data.updated"
)

// environment is that of an application which is no sandbox.
const environment = "live"

// staleBy is how far back [SendStale] dates an event, in seconds.
const staleBy = 3600

// An event is what happened to a session, in the form of its webhook.
type event struct {
	id, kind, version string
	sessionID, status string
	created           int64          // Unix seconds
	fields            map[string]any // the body without its timestamp; plain
	size              int            // of the body
	quirk             Quirk
}

// event returns the session's current state as an event, in the shape of a version ("Didit:
// Webhooks").
func (v *session) event(kind, version string, now time.Time) *event {
	e := &event{id: newUUID(), kind: kind, version: version, sessionID: v.id, status: v.status, created: now.Unix()}
	fields := map[string]any{"session_id": v.id, "status": v.status, "created_at": e.created}
	if v.vendorData != nil || version == "v3" {
		fields["vendor_data"] = v.vendorData
	}
	if version != "v1" {
		fields["workflow_id"] = v.workflowID
	}
	if v.metadata != nil && version == "v2" || version == "v3" {
		fields["metadata"] = v.metadata
	}
	if version == "v3" {
		fields["webhook_type"], fields["event_id"], fields["workflow_version"] = kind, e.id, 1
		fields["application_id"], fields["environment"] = applicationID, environment
	}
	switch v.status {
	case "Approved", "Declined", "In Review", "Abandoned":
		fields["decision"] = v.decision(version)
	case "Resubmitted":
		if version == "v3" {
			node := map[string]string{"node_id": features[0].node, "feature": features[0].word}
			fields["resubmit_info"] = map[string]any{"nodes_to_resubmit": []any{node}, "reasons": json.RawMessage("{}")}
		}
	}
	e.fields = plain(fields).(map[string]any)
	e.size = len(dumps(e.fields, true))
	return e
}

// timestamp returns the signed time of the event's first delivery and its retries. Whether Didit
// dates a retry anew is not known.
func (e *event) timestamp() int64 {
	if e.quirk == SendStale {
		return e.created - staleBy
	}
	return e.created
}

// delivery returns a delivery of the event that has not begun.
func (e *event) delivery(attempt int) Delivery {
	return Delivery{
		EventID: e.id, Type: e.kind, Version: e.version, SessionID: e.sessionID, SessionStatus: e.status,
		Attempt: attempt, Quirk: e.quirk,
	}
}

// request returns the webhook on the wire ("Didit: Webhooks"; the user agent is that of a live
// capture).
func (e *event) request(ctx context.Context, destination, secret string, timestamp int64) (*http.Request, error) {
	fields := maps.Clone(e.fields)
	sent := strconv.FormatInt(timestamp, 10)
	fields["timestamp"] = json.Number(sent)
	body := dumps(fields, true)
	if e.quirk == SendForged {
		secret += "-of-another-sender"
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "DiditWebhook/2.0 +https://didit.me")
	header.Set("X-Timestamp", sent)
	header.Set("X-Signature", signature(secret, body))
	header.Set("X-Signature-V2", signature(secret, dumps(fields, false)))
	kind, _ := fields["webhook_type"].(string)
	header.Set("X-Signature-Simple", signature(secret, strings.Join([]string{sent, e.sessionID, e.status, kind}, ":")))
	if e.quirk == SendReworded {
		body = indented(body)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, destination, strings.NewReader(body))
	if err == nil {
		r.Header = header
	}
	return r, err
}

// signature returns the hexadecimal HMAC-SHA256 of a message. The secret's text is the key.
func signature(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

// indented returns the same document with spaces.
func indented(body string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		panic(err) // this package encoded it
	}
	return b.String()
}
