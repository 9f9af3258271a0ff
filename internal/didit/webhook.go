package didit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"time"
)

// MaxWebhookBytes is the largest body that is worth verifying, 1 MiB: Didit's largest webhooks
// have about 40 KB. Whoever reads a delivery refuses more before it calls [Verifier.Verify].
const MaxWebhookBytes = 1 << 20

// DefaultTolerance is how far the signed time of a delivery may lie from now, either way. Didit
// repeats a delivery after one and after four more minutes, and does not say whether it signs
// it anew.
const DefaultTolerance = 15 * time.Minute

// WebhookErrorKind says why a delivery is refused.
type WebhookErrorKind int

// The kinds of refusal. The zero value is none of them.
const (
	WebhookNotSigned WebhookErrorKind = iota + 1 // no signature, or a malformed one
	WebhookMismatch                              // a well-formed signature that fits no secret
	WebhookMalformed                             // signed, but not an event
	WebhookStale                                 // signed, but too long ago, or in the future
)

var webhookErrorNames = [...]string{"unknown kind", "not signed", "signature mismatch", "malformed", "stale"}

// String is the kind in lower-case words.
func (k WebhookErrorKind) String() string {
	if k < 0 || int(k) >= len(webhookErrorNames) {
		k = 0
	}
	return webhookErrorNames[k]
}

// WebhookError is a delivery that is refused. It holds nothing of the delivery and may be
// logged.
type WebhookError struct {
	Kind   WebhookErrorKind
	Reason string // in fixed words
}

// Error says what was wrong, in words of this package only.
func (e *WebhookError) Error() string { return "didit: webhook: " + e.Kind.String() + ": " + e.Reason }

func malformed(reason string) *WebhookError {
	return &WebhookError{Kind: WebhookMalformed, Reason: reason}
}

// Verifier tells Didit's webhooks from everything else that arrives at a public address. Set
// its fields before first use; it is safe for concurrent use.
type Verifier struct {
	// Secrets are the destination's. Required.
	Secrets *WebhookSecretCache
	// Tolerance is how far the signed timestamp may lie from now, either way; zero means
	// [DefaultTolerance].
	Tolerance time.Duration
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Verify returns the event of a delivery: its header, and its body byte for byte. The body must
// carry Didit's HMAC, X-Signature over the bytes or X-Signature-V2 over the document, under any
// of the secrets in force; where it fits none, the secrets are read again, at most once in 10 s.
// Freshness goes by the timestamp in the signed body. X-Timestamp and X-Signature-Simple, which
// anyone could reuse, decide nothing.
//
// The error is a [*WebhookError], or what [WebhookSecretCache].Read returned. An event whose
// type does not concern a session comes back with Ignored set, however old it is.
func (v *Verifier) Verify(ctx context.Context, header http.Header, body []byte) (WebhookEvent, error) {
	d := delivery{
		body:  body,
		plain: readSignature(header.Get("X-Signature")),
		v2:    readSignature(header.Get("X-Signature-V2")),
	}
	if d.plain == nil && d.v2 == nil {
		return WebhookEvent{}, &WebhookError{Kind: WebhookNotSigned, Reason: "no signature of 64 hexadecimal digits"}
	}
	if err := v.authenticate(ctx, &d); err != nil {
		return WebhookEvent{}, err
	}
	document, err := d.document()
	if err != nil {
		return WebhookEvent{}, malformed(err.Error())
	}
	return v.event(document, body)
}

// readSignature returns the 32 bytes of a signature, or nil.
func readSignature(text string) []byte {
	signature, err := hex.DecodeString(text)
	if err != nil || len(signature) != sha256.Size {
		return nil
	}
	return signature
}

func (v *Verifier) authenticate(ctx context.Context, d *delivery) error {
	secrets, err := v.Secrets.Secrets(ctx)
	if err != nil {
		return err
	}
	if d.signedBy(secrets.inForce(wallNow(v.Now))) {
		return nil
	}
	renewed, changed, err := v.Secrets.Renew(ctx, secrets)
	if err != nil {
		return err
	}
	if changed && d.signedBy(renewed.inForce(wallNow(v.Now))) {
		return nil
	}
	return &WebhookError{Kind: WebhookMismatch, Reason: "the signature fits no secret"}
}

// delivery is a body with the signatures that came with it, nil where there was none.
type delivery struct {
	body      []byte
	plain, v2 []byte

	parsed   bool
	value    jsonValue
	valueErr error
	forms    [][]byte // canonical
}

// document parses the body, once. Only a V2 signature makes it parse what is not yet known to
// be Didit's.
func (d *delivery) document() (jsonValue, error) {
	if !d.parsed {
		d.parsed = true
		d.value, d.valueErr = parseJSON(d.body)
	}
	return d.value, d.valueErr
}

func (d *delivery) signedBy(secrets []string) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool {
		return d.plain != nil && hmac.Equal(d.plain, sign(d.body, secret))
	}) || d.v2 != nil && slices.ContainsFunc(secrets, func(secret string) bool {
		return slices.ContainsFunc(d.canonical(), func(form []byte) bool {
			return hmac.Equal(d.v2, sign(form, secret))
		})
	})
}

// canonical returns the forms over which Didit may have signed; none where the body is not JSON.
func (d *delivery) canonical() [][]byte {
	if document, err := d.document(); err == nil && d.forms == nil {
		d.forms = [][]byte{document.canonical()}
		if plain := document.append(nil, plainNumber); string(plain) != string(d.forms[0]) {
			d.forms = append(d.forms, plain)
		}
	}
	return d.forms
}

// sign uses the secret's text as it is: it looks like Base64 and is not meant to be decoded
// (Didit: Webhooks).
func sign(message []byte, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(message)
	return mac.Sum(nil)
}

// SignWebhook returns what Didit puts into X-Signature and X-Signature-V2 for a body: lower-case
// hexadecimal HMAC-SHA256 of its bytes, and of its canonical form. It is for tests of what calls
// [Verifier.Verify]. It fails for a body that is not JSON.
func SignWebhook(body []byte, secret string) (signature, v2 string, err error) {
	document, err := parseJSON(body)
	if err != nil {
		return "", "", malformed(err.Error())
	}
	return hex.EncodeToString(sign(body, secret)), hex.EncodeToString(sign(document.canonical(), secret)), nil
}
