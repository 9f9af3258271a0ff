package didit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Kind is what a failure means to the caller, in a word that is stable and fit for a public
// contract.
type Kind string

// The kinds of failure. An [*Error] of a [Client] always has one.
const (
	KindUnexpected          Kind = "internal"             // an answer that no documented rule explains
	KindInvalidRequest      Kind = "invalid_request"      // Didit refused a field or the request
	KindPlanRequired        Kind = "plan_required"        // the workflow needs a paid plan
	KindInsufficientCredits Kind = "insufficient_credits" // not enough credits
	KindUserBlocked         Kind = "user_blocked"         // the user or business is blocked at Didit
	KindCredentialsRejected Kind = "credentials_rejected" // the credentials, or the token bought with them
	KindThrottled           Kind = "throttled"            // 429
	KindUnavailable         Kind = "didit_unavailable"    // 5xx, no connection, or an answer cut off or unreadable
	KindTimeout             Kind = "didit_timeout"        // no answer in time; what Didit did is unknown
	KindNotFound            Kind = "not_found"            // Didit has no session of that id for this application
)

// FieldError is Didit's message about one field of a request.
type FieldError struct {
	hidden
	Field   string // its path, such as expected_details.country
	Message string // Didit's words, which may quote the value: personal data, never to be logged
}

// Error is a failed call. Its text is safe to log; Detail and Fields are not, because Didit's
// sentences may quote an e-mail address or a phone number.
type Error struct {
	Kind       Kind
	Op         string        // that of an [Attempt]
	Status     int           // Didit's HTTP status, 0 if there was none
	Reason     string        // details in fixed words, or empty
	Detail     string        // Didit's sentence, at most 500 characters, or empty
	Fields     []FieldError  // Didit's messages about single fields, at most 50
	RetryAfter time.Duration // Didit's advice, 0 if it gave none that can be used
}

// Error describes the failure in words of this package only.
func (e *Error) Error() string {
	text := "didit: " + e.Op + ": " + string(e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Format prints the error's text for every verb, so that %+v does not show the detail either.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// MarshalJSON encodes the error's text only.
func (e Error) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

var errTooLong = errors.New("didit: answer is too long")

// unreadable returns the error for an answer that cannot be understood.
func (a answer) unreadable(reason string) *Error {
	return &Error{Kind: KindUnavailable, Op: a.op, Status: a.status, Reason: reason}
}

func asError(op string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: KindUnexpected, Op: op, Reason: "internal error"}
}

func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isTimeout reports whether a call failed for lack of time, its own or its context's.
func isTimeout(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == KindTimeout || isContextError(err)
}

// networkError explains in fixed words why no answer came, or not a whole one: the texts of the net
// package name addresses.
func networkError(op string, err error) *Error {
	if timeout, ok := errors.AsType[net.Error](err); isContextError(err) || ok && timeout.Timeout() {
		return &Error{Kind: KindTimeout, Op: op, Reason: "no answer in time"}
	}
	return &Error{Kind: KindUnavailable, Op: op, Reason: networkReason(err)}
}

func networkReason(err error) string {
	var (
		dns       *net.DNSError
		alert     tls.AlertError
		record    tls.RecordHeaderError
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		unchecked *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errTooLong):
		return "answer too long"
	case errors.As(err, &dns):
		return "name not resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.As(err, &alert), errors.As(err, &record), errors.As(err, &unknown),
		errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &unchecked):
		return "TLS failure"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the end of the answer"
	default:
		return "connection failed"
	}
}

// tokenRefusal returns the error for an answer of the token endpoint, nil for a success.
func tokenRefusal(a answer) error {
	e := &Error{Op: a.op, Status: a.status}
	switch {
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		e.Kind = KindCredentialsRejected
	case a.status == http.StatusBadRequest && readRefusal(a.body).says("invalid_client"):
		e.Kind = KindCredentialsRejected
	default:
		e.Kind = kindOfStatus(a.status)
	}
	return e
}

// sessionRefusal returns the error for an answer of the session endpoint, nil for a success. Didit
// uses 400 for the plan, the credits and blocked users, too; the body tells them apart. free is as
// for readRefusal.
func sessionRefusal(a answer, free ...string) error {
	e := &Error{Op: a.op, Status: a.status}
	switch a.status {
	case http.StatusOK, http.StatusCreated:
		return nil
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusUnprocessableEntity:
		said := readRefusal(a.body, free...)
		if !said.readable {
			return a.unreadable("refused without a readable reason")
		}
		e.Kind, e.Detail, e.Fields = kindOfRefusal(said), said.detail, said.fields
	case http.StatusUnauthorized:
		e.Kind = KindCredentialsRejected
	case http.StatusForbidden:
		said := readRefusal(a.body, free...)
		switch {
		case kindOfRefusal(said) == KindUserBlocked:
			e.Kind = KindUserBlocked
		case said.says("credits"):
			e.Kind = KindInsufficientCredits
		default:
			e.Kind = KindCredentialsRejected
			return e
		}
		e.Detail = said.detail
	default:
		e.Kind = kindOfStatus(a.status)
	}
	return e
}

// decisionRefusal returns the error for an answer of the decision endpoint, nil for a success. The
// refusal of an unknown session arrives as JSON; an HTML 404 means a wrong path.
func decisionRefusal(a answer) error {
	switch a.status {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		e := &Error{Kind: KindUnexpected, Op: a.op, Status: a.status}
		if document, ok := a.document(); ok && document.Get("detail").Text() != "" {
			e.Kind, e.Detail = KindNotFound, clip(text(document.Get("detail")))
		}
		return e
	}
	if err := sessionRefusal(a); err != nil {
		return err
	}
	return &Error{Kind: KindUnexpected, Op: a.op, Status: a.status}
}

func kindOfStatus(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return KindThrottled
	case status >= 500:
		return KindUnavailable
	default:
		return KindUnexpected
	}
}

func kindOfRefusal(said refusal) Kind {
	switch {
	case said.says("has been blocked"), said.says("cannot create new verification sessions"):
		return KindUserBlocked
	case said.says("paid plan"):
		return KindPlanRequired
	case said.says("enough credits"), said.says("insufficient credits"):
		return KindInsufficientCredits
	default:
		return KindInvalidRequest
	}
}

// says reports whether a sentence contains the phrase, in any case. What Didit quotes of the free
// fields must not look like a refusal of another kind.
func (r refusal) says(phrase string) bool {
	if strings.Contains(strings.ToLower(r.detail), phrase) {
		return true
	}
	for _, f := range r.fields {
		names := strings.FieldsFunc(f.Field, func(c rune) bool { return c == '.' || c == '[' })
		isFree := slices.ContainsFunc(names, func(name string) bool { return slices.Contains(r.free, name) })
		if !isFree && strings.Contains(strings.ToLower(f.Message), phrase) {
			return true
		}
	}
	return false
}
