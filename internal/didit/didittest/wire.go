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
)

// request is the webhook on the wire ("Didit: Webhooks"; the user agent as seen in a live capture).
func (e *event) request(ctx context.Context, destination, secret string, timestamp int64) (*http.Request, error) {
	fields := maps.Clone(e.fields)
	sent := strconv.FormatInt(timestamp, 10)
	fields["timestamp"] = json.Number(sent)
	body := dumps(fields, true)
	if e.quirk == SendForged {
		secret += "-of-somebody-else"
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
		body = reworded(body)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, destination, strings.NewReader(body))
	if err == nil {
		r.Header = header
	}
	return r, err
}

// signature is the hexadecimal HMAC-SHA256 of a message. The secret's text is the key as it is.
func signature(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

// reworded writes the same document with spaces.
func reworded(body string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		panic(err) // this package wrote it
	}
	return b.String()
}
