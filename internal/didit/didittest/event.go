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

// An event is what happened to a session, in the form of its webhook.
type event struct {
	session            *session
	to                 *destination
	id, kind, version  string
	status             string
	created, timestamp int64          // Unix seconds; of the event and of its delivery
	fields             map[string]any // the body without its timestamp; plain
	bytes              int            // of the body
	quirk              Quirk
	resent             bool
}

func (e *event) size() int { return e.bytes }

// event returns the session's current state as an event for a destination, in the shape of its
// version ("Didit: Webhooks"). The id is the same for all destinations.
func (v *session) event(id, kind string, to *destination, environment string, now time.Time) *event {
	version := to.version
	e := &event{
		session: v, to: to, id: id, kind: kind, version: version, status: v.status,
		created: now.Unix(), timestamp: now.Unix(),
	}
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
	e.bytes = len(dumps(e.fields, true))
	return e
}

// request returns the webhook on the wire ("Didit: Webhooks"; the user agent is that of a live
// capture), with signatures of each secret, whose names end as the map says.
func (e *event) request(ctx context.Context, destination string, secrets map[string]string) (*http.Request, error) {
	fields := maps.Clone(e.fields)
	sent := strconv.FormatInt(e.timestamp, 10)
	fields["timestamp"] = json.Number(sent)
	body := dumps(fields, true)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "DiditWebhook/2.0 +https://didit.me")
	header.Set("X-Timestamp", sent)
	kind, _ := fields["webhook_type"].(string)
	for suffix, secret := range secrets {
		if e.quirk == SendForged {
			secret += "-of-another-sender"
		}
		header.Set("X-Signature"+suffix, signature(secret, body))
		header.Set("X-Signature-V2"+suffix, signature(secret, dumps(fields, false)))
		header.Set("X-Signature-Simple"+suffix, signature(secret, strings.Join([]string{sent, e.session.id, e.status, kind}, ":")))
	}
	content := bytes.NewBufferString(body)
	if e.quirk == SendReworded {
		content.Reset()
		_ = json.Indent(content, []byte(body), "", "  ") // cannot fail: this package encoded it
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, destination, content)
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
