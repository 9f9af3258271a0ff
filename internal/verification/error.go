package verification

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Code names what went wrong, in the stable, machine-readable words of the public contract.
type Code string

// The codes. Over HTTP, CodeSecretUnavailable is shown as "internal", and
// CodeUserErased does not occur.
const (
	CodeInvalidRequest      Code = "invalid_request"
	CodeVendorDataMismatch  Code = "vendor_data_mismatch"
	CodeFieldNotAllowed     Code = "field_not_allowed"
	CodeWorkflowNotAllowed  Code = "workflow_not_allowed"
	CodeUserBlocked         Code = "user_blocked"
	CodeAlreadyVerified     Code = "already_verified"
	CodeInReview            Code = "in_review"
	CodeTooManySessions     Code = "too_many_sessions"
	CodeNotFound            Code = "not_found"
	CodeUserErased          Code = "user_erased"
	CodePlanRequired        Code = "plan_required"
	CodeInsufficientCredits Code = "insufficient_credits"
	CodeCredentialsRejected Code = "credentials_rejected"
	CodeThrottled           Code = "throttled"
	CodeDiditUnavailable    Code = "didit_unavailable"
	CodeBackendUnavailable  Code = "backend_unavailable"
	CodeDiditTimeout        Code = "didit_timeout"
	CodeSecretUnavailable   Code = "secret_unavailable"
	CodeInternal            Code = "internal"
)

// FieldError names a field and the rule that it breaks.
type FieldError struct {
	Field   string // its path, for example expected_details.country; empty: the whole body
	Message string // a sentence for the caller
	Private bool   // the message quotes the caller or Didit and must not be logged
}

// Error is a refusal or a failure. Its text is safe to log; Detail and the private messages of
// Fields are for the caller alone.
type Error struct {
	Code       Code
	Fields     []FieldError
	Detail     string        // Didit's sentence, or empty
	RetryAfter time.Duration // 0: trying again does not help, or the time is unknown
	Reason     string        // for the operator, in fixed words
	Session    *Record       // the session that makes another one needless, as [Store].Latest shows it; or nil
}

// NewError returns an error with the code, and with the reason for the operator. Every
// [CodeBackendUnavailable] tells callers to wait: AWS does not say for how long.
func NewError(code Code, reason string) *Error {
	e := &Error{Code: code, Reason: reason}
	if code == CodeBackendUnavailable {
		e.RetryAfter = defaultRetryAfter
	}
	return e
}

// invalidField returns the error for a request with one invalid field.
func invalidField(field, message string) *Error {
	return &Error{Code: CodeInvalidRequest, Fields: []FieldError{{Field: field, Message: message}}}
}

// defaultRetryAfter is used where neither Didit nor AWS names a time.
const defaultRetryAfter = 30 * time.Second

// Error returns the code and the reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Reason
}

// Format prints the error's text for every verb, so that %+v shows no detail either.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// MarshalJSON encodes the error's text alone.
func (e *Error) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

// AsError returns the [*Error] in err's chain, or an internal one for any other error. The text of
// another error is dropped, because it may quote personal data.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError(CodeInternal, "unexpected error")
}
