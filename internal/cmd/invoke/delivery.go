package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"time"

	"didit-sessions/internal/didit"
)

var signedTime = regexp.MustCompile(`"timestamp": ?\d+`)

// sentNow is a webhook's payload as Didit would send it now: a delivery in a file is too old to be
// taken. One that is not signed with the local secret stays as it is, as does every other payload.
func sentNow(payload []byte, now time.Time) []byte {
	var document map[string]json.RawMessage
	var headers map[string]string
	var body string
	if json.Unmarshal(payload, &document) != nil || json.Unmarshal(document["headers"], &headers) != nil || json.Unmarshal(document["body"], &body) != nil {
		return payload
	}
	signature, _, err := didit.SignWebhook([]byte(body), webhookSecret)
	if err != nil || headers["x-signature"] != signature {
		return payload
	}
	body = signedTime.ReplaceAllString(body, `"timestamp":`+strconv.FormatInt(now.Unix(), 10))
	headers["x-signature"], headers["x-signature-v2"], err = didit.SignWebhook([]byte(body), webhookSecret)
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
