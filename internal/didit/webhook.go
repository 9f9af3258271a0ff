package didit

import (
	"bytes"
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

// Limits of a document that is parsed before its sender is known, for X-Signature-V2. Didit's
// largest nest about ten deep; one with a long list of AML hits has more values, and X-Signature.
const (
	maxUnsignedDepth   = 64
	maxUnsignedValues  = 20_000
	maxUnsignedEscapes = 10_000 // backslashes
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
// must have Didit's HMAC with one of the accepted secrets: X-Signature over the bytes or
// X-Signature-V2 over the document, or, in the day after a rotation at Didit, one of the two made
// with the secret before it, X-Signature-Previous and X-Signature-V2-Previous. If none matches, or
// one of those two alone, the secrets are read again, at most once in 10 s. Freshness is decided by
// the timestamp in the signed body. X-Timestamp and X-Signature-Simple are ignored, because anyone
// could reuse them.
//
// Until a signature matches, the cost is bounded, because anyone can send a delivery: the
// document's signature is tried on documents of up to 20,000 values and 10,000 backslashes whose
// numbers have exponents of at most ±30. After that a body is accepted whatever its size.
//
// The error is a [*WebhookError], or the one that [WebhookSecretCache].Read returned. An event
// whose type does not concern a session comes back with Ignored set, however old it is.
func (v *Verifier) Verify(ctx context.Context, header http.Header, body []byte) (WebhookEvent, error) {
	d := newDelivery(header, body)
	if len(d.plain)+len(d.v2) == 0 {
		return WebhookEvent{}, &WebhookError{Kind: WebhookNotSigned, Reason: "no signature of 64 hexadecimal digits"}
	}
	previous, err := v.authenticate(ctx, d)
	if err != nil {
		return WebhookEvent{}, err
	}
	document, err := parseWebhook(body)
	if err != nil {
		return WebhookEvent{}, err
	}
	e, err := v.event(document)
	e.PreviousSecret = previous
	return e, err
}

// signature is a well-formed signature of a delivery.
type signature struct {
	sum      []byte
	previous bool // made with the secret before Didit's current one
}

// readSignatures returns the 32 bytes of each well-formed signature under the name, and under the
// one with -Previous.
func readSignatures(header http.Header, name string) (signatures []signature) {
	for _, s := range []struct {
		name     string
		previous bool
	}{{name, false}, {name + "-Previous", true}} {
		if sum, err := hex.DecodeString(header.Get(s.name)); err == nil && len(sum) == sha256.Size {
			signatures = append(signatures, signature{sum, s.previous})
		}
	}
	return signatures
}

// authenticate reports whether the only signature that matches is a previous one: a secret of ours
// is not Didit's current one any more. The secrets are read again before that is believed, as
// before a refusal.
func (v *Verifier) authenticate(ctx context.Context, d *delivery) (previous bool, err error) {
	secrets, err := v.Secrets.Secrets(ctx)
	if err != nil {
		return false, err
	}
	by, signed := d.signedBy(secrets.accepted(wallNow(v.Now)))
	if signed && !by.previous {
		return false, nil
	}
	if signed { // the read must not cost the answer
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, webhookRefreshTimeout)
		defer cancel()
	}
	renewed, changed, err := v.Secrets.Renew(ctx, secrets)
	if err != nil && !signed {
		return false, err
	}
	if err == nil && changed {
		if again, ok := d.signedBy(renewed.accepted(wallNow(v.Now))); ok {
			by, signed = again, true
		}
	}
	if !signed {
		return false, &WebhookError{Kind: WebhookMismatch, Reason: "the signature matches no secret"}
	}
	return by.previous, nil
}

// delivery is a body with the well-formed signatures that came with it.
type delivery struct {
	hidden
	body      []byte
	plain, v2 []signature
	forms     func() [][]byte // that Didit may have signed as V2; none if that cannot be known, or not cheaply
}

// newDelivery parses nothing yet: only for a V2 signature is a body parsed before it is known to be
// Didit's.
func newDelivery(header http.Header, body []byte) *delivery {
	return &delivery{
		body:  body,
		plain: readSignatures(header, "X-Signature"),
		v2:    readSignatures(header, "X-Signature-V2"),
		forms: sync.OnceValue(func() [][]byte {
			document, err := parseUnsigned(body)
			if err != nil {
				return nil
			}
			return canonicalForms(document)
		}),
	}
}

// parseUnsigned parses a body whose sender is not known yet. Text with escapes costs several times
// as much as other text.
func parseUnsigned(body []byte) (strictjson.Value, error) {
	if bytes.Count(body, []byte(`\`)) > maxUnsignedEscapes {
		return strictjson.Value{}, malformed("too many escapes")
	}
	if !utf8.Valid(body) {
		return strictjson.Value{}, malformed(string(strictjson.NotUTF8))
	}
	return strictjson.Parse(body, strictjson.Options{
		MaxDepth: maxUnsignedDepth, MaxValues: maxUnsignedValues, AnyString: true, AnyName: true,
	})
}

// parseWebhook accepts lone surrogates, which Didit signs as they are. It refuses duplicate names,
// of which another reader could take the other one.
func parseWebhook(body []byte) (strictjson.Value, error) {
	if !utf8.Valid(body) {
		return strictjson.Value{}, malformed(string(strictjson.NotUTF8))
	}
	v, err := strictjson.Parse(body, strictjson.Options{AnyString: true})
	if err != nil {
		return strictjson.Value{}, malformed(err.Error())
	}
	return v, nil
}

// signedBy returns the signature that matches one of the secrets, the current ones first.
func (d *delivery) signedBy(secrets []string) (found signature, signed bool) {
	if found, signed = match(d.plain, secrets, func() [][]byte { return [][]byte{d.body} }); signed && !found.previous {
		return found, true
	}
	if v2, ok := match(d.v2, secrets, d.forms); ok {
		return v2, true
	}
	return found, signed
}

// match returns the first signature that is that of one of the messages with one of the secrets.
func match(signatures []signature, secrets []string, messages func() [][]byte) (found signature, signed bool) {
	if len(signatures) == 0 {
		return signature{}, false
	}
	for _, secret := range secrets {
		for _, message := range messages() {
			made := sign(message, secret)
			i := slices.IndexFunc(signatures, func(s signature) bool { return hmac.Equal(s.sum, made) })
			if i >= 0 {
				return signatures[i], true
			}
		}
	}
	return signature{}, false
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
