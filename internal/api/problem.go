package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/verification"
)

// Codes that exist over HTTP only.
const (
	codeUnauthenticated   verification.Code = "unauthenticated"
	codeStale             verification.Code = "stale" // in the log alone
	codeSignatureMismatch verification.Code = "signature_mismatch"
	codePayloadTooLarge   verification.Code = "payload_too_large"
	codeUnsupportedMedia  verification.Code = "unsupported_media_type"
)

// failure describes how a code is reported.
type failure struct {
	code       verification.Code
	shown      verification.Code // the code that callers see, if it is another one
	status     int
	directName string
	title      string
	sentence   string // what to do, unless the error has a detail
}

// failures is the error table of the public contract.
var failures = []failure{
	{verification.CodeInvalidRequest, "", 400, "InvalidRequest", "The request is invalid",
		"Correct the fields in errors and send the request again."},
	{codeUnauthenticated, "", 401, "InternalError", "The caller is not authenticated",
		"The request carries no proof of its sender: sign in and send the access token."},
	{codeStale, codeUnauthenticated, 401, "InternalError", "The delivery is stale",
		"The signed timestamp is too far from now; send the delivery again from Didit's console."},
	{verification.CodeVendorDataMismatch, "", 403, "InternalError", "The vendor data is another user's",
		"vendor_data is the signed-in user; leave it out."},
	{verification.CodeFieldNotAllowed, "", 403, "InternalError", "A field is not allowed here",
		"Leave out the fields in errors, or ask the operator to allow them in USER_FIELDS."},
	{verification.CodeWorkflowNotAllowed, "", 403, "WorkflowNotAllowed", "The workflow is not allowed",
		"Use one of the workflows of this deployment, or leave workflow_id out."},
	{verification.CodeUserBlocked, "", 403, "UserBlocked", "The user is blocked",
		"This user or business is blocked at Didit and can start no verification."},
	{verification.CodeAlreadyVerified, "", 409, "InternalError", "The user is verified already",
		"The user's latest session of this workflow is Approved: continue. GET /sessions/{session_id} returns its status as of now."},
	{verification.CodeInReview, "", 409, "InternalError", "A review is under way",
		"A reviewer decides about the user's latest session of this workflow: wait. GET /sessions/{session_id} returns its status."},
	{verification.CodeTooManySessions, "", 429, "InternalError", "Too many sessions in a day",
		"This user has had as many sessions as are allowed in 24 hours. Send the request again after the time in Retry-After."},
	{codeSignatureMismatch, "", 404, "InternalError", "The signature does not match",
		"The signature matches no webhook secret of this deployment. During a rotation, Didit's next attempt will match."},
	{verification.CodeNotFound, "", 404, "SessionNotFound", "Not found",
		"There is no such session."},
	{verification.CodeUserErased, "", 404, "UserErased", "The end user was erased",
		"The end user of the session was erased."},
	{codePayloadTooLarge, "", 413, "InvalidRequest", "The body is too large",
		"The body may have at most 4 MiB."},
	{codeUnsupportedMedia, "", 415, "InvalidRequest", "The media type is not supported",
		"Send JSON, with the header Content-Type: application/json."},
	{verification.CodePlanRequired, "", 502, "PlanRequired", "The workflow needs a paid plan",
		"The workflow needs a paid plan at Didit; the operator must choose one."},
	{verification.CodeInsufficientCredits, "", 502, "InsufficientCredits", "Not enough credits",
		"The credits at Didit are used up; the operator must top them up."},
	{verification.CodeCredentialsRejected, "", 502, "CredentialsRejected", "Didit refused our credentials",
		"Didit refuses this deployment's credentials; the operator must store valid ones."},
	{verification.CodeThrottled, "", 503, "Throttled", "Too many requests at Didit",
		"Send the request again after the time in Retry-After."},
	{verification.CodeDiditUnavailable, "", 503, "DiditUnavailable", "Didit is unavailable",
		"Send the request again after the time in Retry-After; with vendor_data it gets the same session."},
	{verification.CodeBackendUnavailable, "", 503, "BackendUnavailable", "A service that we need is unavailable",
		"Send the request again after the time in Retry-After; a session that was requested with vendor_data is not created twice."},
	{verification.CodeDiditTimeout, "", 504, "DiditTimeout", "Didit did not answer in time",
		"Whether a session was created is unknown. With vendor_data, send the request again: it gets the same session."},
	{verification.CodeSecretUnavailable, verification.CodeInternal, 500, "SecretUnavailable", "Something went wrong on our side",
		"The operator finds the reason in the log under this request's id."},
	{verification.CodeInternal, "", 500, "InternalError", "Something went wrong on our side",
		"The operator finds the reason in the log under this request's id."},
}

// Outcomes of calls: in whose hands they are.
const (
	outcomeOK       = "ok"
	outcomeCaller   = "caller"
	outcomeOperator = "operator"
	outcomeUpstream = "upstream"
)

// outcomeOf returns in whose hands a failed call is. Didit does not retry a stale delivery: only
// the operator can have it sent again.
func outcomeOf(code verification.Code) string {
	switch f := failureOf(code); {
	case code == codeStale, f.status == http.StatusInternalServerError, f.status == http.StatusBadGateway:
		return outcomeOperator
	case f.status > http.StatusInternalServerError:
		return outcomeUpstream
	default:
		return outcomeCaller
	}
}

// noRoute is the error for a request that no route of the function serves.
func noRoute() *verification.Error {
	return &verification.Error{Code: verification.CodeNotFound, Detail: "There is nothing at this path for this method."}
}

func failureOf(code verification.Code) failure {
	for _, f := range failures {
		if f.code == code {
			if f.shown == "" {
				f.shown = code
			}
			return f
		}
	}
	return failureOf(verification.CodeInternal)
}

// maxFieldErrors bounds the answer to a body full of mistakes.
const maxFieldErrors = 100

// problem is an error over HTTP (RFC 9457).
type problem struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail"`
	Code      verification.Code `json:"code"`
	RequestID string            `json:"request_id"`
	Errors    []problemField    `json:"errors,omitempty"`
	*problemSession
}

// problemSession is the session that makes another one needless.
type problemSession struct {
	ID     string            `json:"session_id"`
	Status string            `json:"session_status"`
	Next   verification.Next `json:"next"`
}

type problemField struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func writeProblem(w http.ResponseWriter, requestID string, e *verification.Error) {
	f := failureOf(e.Code)
	p := problem{
		Type: "urn:didit-sessions:problem:" + string(f.shown), Title: f.title, Status: f.status,
		Detail: f.sentence, Code: f.shown, RequestID: requestID,
	}
	if e.Detail != "" {
		p.Detail = e.Detail
	}
	for _, field := range firstFields(e.Fields) {
		if field.Field != "" {
			p.Errors = append(p.Errors, problemField{field.Field, field.Message})
		}
	}
	if s := e.Session; s != nil {
		p.problemSession = &problemSession{s.SessionID, s.Status, s.Next()}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", seconds(e.RetryAfter))
	}
	writeJSON(w, f.status, "application/problem+json", p)
}

func firstFields(fields []verification.FieldError) []verification.FieldError {
	return fields[:min(len(fields), maxFieldErrors)]
}

// seconds returns the duration in whole seconds, rounded up so that clients do not retry too early.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// directError is the failure of a direct invocation. aws-lambda-go logs its text, so it consists of
// fixed words and field names only.
type directError struct {
	name string
	text string
}

func (e directError) Error() string     { return e.text }
func (e directError) ErrorType() string { return e.name }

func newDirectError(e *verification.Error) directError {
	f := failureOf(e.Code)
	var parts []string
	for _, field := range firstFields(e.Fields) {
		switch {
		case field.Field == "":
			parts = append(parts, field.Message)
		case field.Private:
			parts = append(parts, field.Field+" is invalid.")
		default:
			parts = append(parts, field.Field+" "+field.Message)
		}
	}
	text := f.title + "."
	if len(parts) > 0 {
		text = f.title + ": " + strings.Join(parts, " ")
	} else if f.sentence != "" {
		text += " " + f.sentence
	}
	return directError{f.directName, text}
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := verification.EncodeJSON(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
