package didit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"didit-sessions/internal/strictjson"
)

// MaxWebhookBytes is the largest body that is worth verifying: Didit's largest webhooks have about
// 40 KB. The caller refuses larger ones before it calls [Verifier.Verify].
const MaxWebhookBytes = 1 << 20

// Limits of a webhook's JSON: Didit's largest nest about ten deep and have a few thousand values.
const (
	maxWebhookDepth  = 64
	maxWebhookValues = 20_000
)

// DefaultTolerance is how far the signed time of a delivery may be from now, either way. Didit
// retries a delivery after one and after four more minutes, and does not document whether it signs
// each attempt anew.
const DefaultTolerance = 15 * time.Minute

// WebhookErrorKind is why a delivery is refused, in fixed words.
type WebhookErrorKind string

// The kinds of refusal.
const (
	WebhookNotSigned WebhookErrorKind = "not signed"         // no signature, or a malformed one
	WebhookMismatch  WebhookErrorKind = "signature mismatch" // a well-formed signature that matches no secret
	WebhookMalformed WebhookErrorKind = "malformed"          // signed, but not an event
	WebhookStale     WebhookErrorKind = "stale"              // signed, but too long ago, or in the future
)

// WebhookError is the error for a delivery that is refused. It quotes nothing of the delivery and
// may be logged.
type WebhookError struct {
	Kind   WebhookErrorKind
	Reason string // in fixed words
}

// Error describes the refusal in words of this package only.
func (e *WebhookError) Error() string {
	return "didit: webhook: " + string(e.Kind) + ": " + e.Reason
}

func malformed(reason string) *WebhookError {
	return &WebhookError{Kind: WebhookMalformed, Reason: reason}
}

// Verifier verifies the signatures of Didit's webhooks, which arrive at a public address. Set its
// fields before first use; it is safe for concurrent use.
type Verifier struct {
	// Secrets are the destination's. Required.
	Secrets *WebhookSecretCache
	// Tolerance is how far the signed timestamp may be from now, either way; zero means
	// [DefaultTolerance].
	Tolerance time.Duration
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Verify returns the event of a delivery, given its header and its body byte for byte. The body
// must have Didit's HMAC, X-Signature over the bytes or X-Signature-V2 over the document, with one
// of the accepted secrets; if it matches none, the secrets are read again, at most once in 10 s.
// Freshness is decided by the timestamp in the signed body. X-Timestamp and X-Signature-Simple are
// ignored, because anyone could reuse them.
//
// The error is a [*WebhookError], or the one that [WebhookSecretCache].Read returned. An event
// whose type does not concern a session comes back with Ignored set, however old it is.
func (v *Verifier) Verify(ctx context.Context, header http.Header, body []byte) (WebhookEvent, error) {
	d := newDelivery(header, body)
	if d.plain == nil && d.v2 == nil {
		return WebhookEvent{}, &WebhookError{Kind: WebhookNotSigned, Reason: "no signature of 64 hexadecimal digits"}
	}
	if err := v.authenticate(ctx, d); err != nil {
		return WebhookEvent{}, err
	}
	document, err := d.document()
	if err != nil {
		return WebhookEvent{}, err
	}
	return v.event(document)
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
	if d.isSignedBy(secrets.accepted(wallNow(v.Now))) {
		return nil
	}
	renewed, changed, err := v.Secrets.Renew(ctx, secrets)
	if err != nil {
		return err
	}
	if changed && d.isSignedBy(renewed.accepted(wallNow(v.Now))) {
		return nil
	}
	return &WebhookError{Kind: WebhookMismatch, Reason: "the signature matches no secret"}
}

// delivery is a body with the signatures that came with it, nil if there was none.
type delivery struct {
	hidden
	body      []byte
	plain, v2 []byte
	document  func() (strictjson.Value, error)
	canonical func() [][]byte // the forms that Didit may have signed; none if the body is not JSON
}

// newDelivery parses nothing yet: only for a V2 signature is a body parsed before it is known to be
// Didit's.
func newDelivery(header http.Header, body []byte) *delivery {
	document := sync.OnceValues(func() (strictjson.Value, error) { return parseWebhook(body) })
	return &delivery{
		body:     body,
		plain:    readSignature(header.Get("X-Signature")),
		v2:       readSignature(header.Get("X-Signature-V2")),
		document: document,
		canonical: sync.OnceValue(func() [][]byte {
			d, err := document()
			if err != nil {
				return nil
			}
			return canonicalForms(d)
		}),
	}
}

// parseWebhook accepts lone surrogates, which Didit signs as they are.
func parseWebhook(body []byte) (strictjson.Value, error) {
	if !utf8.Valid(body) {
		return strictjson.Value{}, malformed(string(strictjson.NotUTF8))
	}
	v, err := strictjson.Parse(body, strictjson.Options{MaxDepth: maxWebhookDepth, MaxValues: maxWebhookValues, AnyString: true})
	if err != nil {
		return strictjson.Value{}, malformed(err.Error())
	}
	return v, nil
}

func (d *delivery) isSignedBy(secrets []string) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool {
		return d.plain != nil && hmac.Equal(d.plain, sign(d.body, secret))
	}) || d.v2 != nil && slices.ContainsFunc(secrets, func(secret string) bool {
		return slices.ContainsFunc(d.canonical(), func(form []byte) bool {
			return hmac.Equal(d.v2, sign(form, secret))
		})
	})
}

// sign uses the secret's characters as they are: they look like Base64 and are not to be decoded
// (Didit: Webhooks).
func sign(message []byte, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(message)
	return mac.Sum(nil)
}

// SignWebhook returns Didit's X-Signature and X-Signature-V2 for a body: the HMAC-SHA256 of its
// bytes and of its canonical form, in lower-case hexadecimal. It is for tests of callers of
// [Verifier.Verify]. It fails if the body is not JSON.
func SignWebhook(body []byte, secret string) (signature, v2 string, err error) {
	document, err := parseWebhook(body)
	if err != nil {
		return "", "", err
	}
	return hex.EncodeToString(sign(body, secret)), hex.EncodeToString(sign(canonical(document), secret)), nil
}
