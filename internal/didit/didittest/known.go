package didittest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// What Didit answers when it does not create a session. All apply to create requests.
var (
	// WorkflowInvalid is a field error as a plain string (Didit's OpenAPI 3.0.0).
	WorkflowInvalid = refusal(OpCreate, "workflow_invalid", 400, `{"workflow_id":"Invalid workflow_id."}`)
	// PaidPlan is the one error body of "Didit: Creating a Verification Session".
	PaidPlan = refusal(OpCreate, "paid_plan", 400, `{"detail":"You need to have a paid plan to perform this workflow."}`)
	// Credits is a 400, not a 402 (Didit's OpenAPI 3.0.0, create session).
	Credits = refusal(OpCreate, "credits", 400, `{"detail":"`+creditsText+`"}`)
	// CreditsForbidden is a 403, under another key, that does not refuse the credentials (Didit's
	// OpenAPI 3.0.0, shared component).
	CreditsForbidden = refusal(OpCreate, "credits_forbidden", 403, `{"error":"`+creditsText+`"}`)
	// UserBlocked is a field error about the end user rather than the field (Didit's OpenAPI 3.0.0,
	// create session).
	UserBlocked = refusal(OpCreate, "user_blocked", 400,
		`{"vendor_data":"This user or business has been blocked and cannot create new verification sessions."}`)
	// PortraitRequired is a biometric workflow's refusal, its first sentence (Didit's OpenAPI
	// 3.0.0).
	PortraitRequired = refusal(OpCreate, "portrait_required", 400,
		`{"portrait_image":"A portrait image is required to perform face match for this workflow."}`)
	// LanguageInvalid lists all languages ("Didit: Create session").
	LanguageInvalid = refusal(OpCreate, "language_invalid", 400,
		`{"language":["Invalid language. Supported languages are: `+strings.Join(languages, ", ")+`"]}`)
	// NestedField is a field error inside another field, as the framework under Didit's API reports
	// it.
	NestedField = refusal(OpCreate, "nested_field", 400, `{"contact_details":{"email":["Enter a valid email address."]}}`)
	// NestedArray has objects in an array inside a field (Didit's OpenAPI 3.0.0, update status).
	NestedArray = refusal(OpCreate, "nested_array", 400,
		`{"nodes_to_resubmit":[{"feature":["\"BOGUS\" is not a valid choice."]}]}`)
	// BareArray is an array, not an object (Didit's OpenAPI 3.0.0, update status).
	BareArray = refusal(OpCreate, "bare_array", 400, `["The new status is the same as the current status."]`)
	// DetailArray is a list where a sentence is usual (Didit's OpenAPI 3.0.0).
	DetailArray = refusal(OpCreate, "detail_array", 400, `{"detail":["Only finished sessions can be shared."]}`)
)

// How the session API refuses credentials. All apply to create requests.
var (
	// Unauthorized is what "Didit: Getting started" shows.
	Unauthorized = refusal(OpCreate, "unauthorized", 401, `{"detail":"Invalid or missing API key"}`)
	// InvalidAPIKey is the shared component of Didit's OpenAPI 3.0.0.
	InvalidAPIKey = refusal(OpCreate, "invalid_api_key", 401, `{"detail":"Invalid API Key."}`)
	// Forbidden is for missing, malformed, expired and foreign credentials, and for too few rights
	// (Didit's OpenAPI 3.0.0).
	Forbidden = refusal(OpCreate, "forbidden", 403, `{"detail":"You do not have permission to perform this action."}`)
	// NotAuthenticated is the sentence of Didit's OpenAPI 3.0.0, retrieve decision.
	NotAuthenticated = refusal(OpCreate, "not_authenticated", 403,
		`{"detail":"Authentication credentials were not provided or are invalid."}`)
)

// What Didit answers to too many requests. All apply to create requests.
var (
	// RateLimited has Retry-After and the X-RateLimit headers ("Didit: Rate limiting" and Didit's
	// OpenAPI 3.0.0).
	RateLimited = limited(OpCreate, "rate_limited", "600", "42",
		`{"detail":"Session creation rate limit exceeded. You can make up to 600 requests per minute."}`)
	// SandboxQuota names the time to wait in its sentence only (Didit's OpenAPI 3.0.0).
	SandboxQuota = refusal(OpCreate, "sandbox_quota", 429, `{"detail":"Sandbox session quota exceeded (500 sessions per 24h). `+
		`Wait for the window to reset. Expected available in 3600 seconds."}`)
	// Throttled is the sentence of the framework under Didit's API, likewise without headers.
	Throttled = refusal(OpCreate, "throttled", 429, `{"detail":"Request was throttled. Expected available in 30 seconds."}`)
)

// How the token endpoint refuses. Didit documents no body for a failed client-credentials call;
// these are the shapes of "Didit: OIDC page", of Didit's demos and of the rest of its API. All
// apply to token requests.
var (
	// InvalidClient refuses the credentials.
	InvalidClient = refusal(OpToken, "invalid_client", 401, `{"error":"invalid_client"}`)
	// InvalidClient400 refuses them too: RFC 6749 allows both statuses.
	InvalidClient400 = refusal(OpToken, "invalid_client_400", 400, `{"error":"invalid_client"}`)
	// InvalidClientDescribed refuses them with a sentence beside the code.
	InvalidClientDescribed = refusal(OpToken, "invalid_client_described", 401,
		`{"error":"invalid_client","error_description":"Client authentication failed."}`)
	// InvalidRequest refuses the form of the request.
	InvalidRequest = refusal(OpToken, "invalid_request", 400, `{"error":"invalid_request"}`)
	// InvalidGrant refuses the grant.
	InvalidGrant = refusal(OpToken, "invalid_grant", 400, `{"error":"invalid_grant"}`)
	// TokenMessage has the key that Didit's demo reads.
	TokenMessage = refusal(OpToken, "token_message", 401, `{"message":"Invalid client credentials."}`)
	// TokenDetail has the key of the rest of Didit's API.
	TokenDetail = refusal(OpToken, "token_detail", 401, `{"detail":"Invalid client credentials."}`)
)

// What Didit answers to a request for a decision. All apply to decision requests.
var (
	// SessionNotFound is the other sentence for an unknown session, or one outside the key's
	// workflows (Didit's OpenAPI 3.0.0, retrieve decision; "Didit: API keys").
	SessionNotFound = refusal(OpDecision, "session_not_found", 404, `{"detail":"Session not found."}`)
	// ReadRateLimited is the limit of v1 and v2 (Didit's OpenAPI 3.0.0, retrieve decision).
	ReadRateLimited = limited(OpDecision, "read_rate_limited", "100", "23",
		`{"detail":"GET request rate limit exceeded. You can make up to 100 requests per minute."}`)
)

// What Didit answers when it deletes nothing.
var (
	// WriteRateLimited is the limit of all writes together (Didit's OpenAPI 3.0.0).
	WriteRateLimited = limited(OpDelete, "write_rate_limited", "300", "17",
		`{"detail":"Write request rate limit exceeded. You can make up to 300 requests per minute."}`)
)

// Failures that no page documents and every API has. All apply to every request that can meet a
// fault.
var (
	// ServerError is a 500 with an HTML page.
	ServerError = htmlPage("server_error", 500, "Server Error (500)")
	// BadGateway is a 502 with an HTML page.
	BadGateway = htmlPage("bad_gateway", 502, "502 Bad Gateway")
	// NotFoundPage is Didit's answer to an unknown path; documented for a malformed session id.
	NotFoundPage = htmlPage("not_found_page", 404, "Not Found")
	// NotFound is a 404 in JSON (Didit's OpenAPI 3.0.0, retrieve decision).
	NotFound = refusal(OpAny, "not_found", 404, `{"detail":"Not found."}`)
	// HTMLPage is a proxy's page under the status of success.
	HTMLPage = htmlPage("html_page", 200, "Welcome")
	// MovedPermanently leads to a path that does not exist: a caller that follows it, which none
	// should, shows up under [OpOther].
	MovedPermanently = redirect("moved_permanently", 301)
	// TemporaryRedirect leads to the same path, and keeps method and body.
	TemporaryRedirect = redirect("temporary_redirect", 307)
)

const creditsText = "You don't have enough credits to perform this request. Please top up at https://business.didit.me"

// known are the ready-made faults by their names: the variables above, and the modes that need no
// answer.
var known = make(map[string]Fault)

func init() {
	for _, m := range modes[1:] {
		f := Fault{Name: string(m), Mode: m}
		switch m {
		case ModeOtherVendorData, ModeOtherWorkflow:
			f.On = OpCreate
		case ModeUnfiltered:
			f.On = OpList
		}
		ready(f)
	}
}

func ready(f Fault) Fault {
	known[f.Name] = f
	return f
}

// Known returns the ready-made fault of a name: one of the package's variables, such as
// "paid_plan", or a fault that is nothing but a mode, such as "reset_after".
func Known(name string) (f Fault, ok bool) {
	f, ok = known[name]
	return f, ok
}

// KnownNames returns the names that [Known] knows, sorted.
func KnownNames() []string { return slices.Sorted(maps.Keys(known)) }

func refusal(on Op, name string, status int, body string) Fault {
	return ready(Fault{Name: name, On: on, Status: status, Body: body})
}

func limited(on Op, name, limit, retryAfter, body string) Fault {
	header := http.Header{"Retry-After": {retryAfter}, "X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {"0"}}
	return ready(Fault{Name: name, On: on, Status: http.StatusTooManyRequests, Header: header, Body: body})
}

func htmlPage(name string, status int, title string) Fault {
	return ready(Fault{
		Name: name, Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: "<!doctype html><html lang=\"en\"><head><title>" + title + "</title></head><body><h1>" + title +
			"</h1></body></html>\n",
	})
}

func redirect(name string, status int) Fault {
	return ready(Fault{Name: name, Status: status, Header: http.Header{"Location": {"/redirected/"}}})
}
