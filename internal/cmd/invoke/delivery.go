package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
)

var signedTime = regexp.MustCompile(`"timestamp": ?\d+`)

// signNow returns the payload of a webhook with the time now, signed again, because the delivery in
// a file is too old to be accepted. If it is not signed with [stage.WebhookSecret], and for any
// other payload, it returns the payload as it is.
func signNow(payload []byte, now time.Time) []byte {
	var document map[string]json.RawMessage
	var headers map[string]string
	var body string
	if json.Unmarshal(payload, &document) != nil || json.Unmarshal(document["headers"], &headers) != nil || json.Unmarshal(document["body"], &body) != nil {
		return payload
	}
	signature, _, err := didit.SignWebhook([]byte(body), stage.WebhookSecret)
	if err != nil || headers["x-signature"] != signature {
		return payload
	}
	body = signedTime.ReplaceAllString(body, `"timestamp":`+strconv.FormatInt(now.Unix(), 10))
	headers["x-signature"], headers["x-signature-v2"], err = didit.SignWebhook([]byte(body), stage.WebhookSecret)
	if err != nil {
		return payload
	}
	document["body"], _ = json.Marshal(body)
	document["headers"], _ = json.Marshal(headers)
	signed, err := json.Marshal(document)
	if err != nil {
		return payload
	}
	return signed
}
