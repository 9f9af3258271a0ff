package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/api/apitest"
	"didit-sessions/internal/verification"
)

const workflow = "11111111-2222-3333-4444-555555555555"

// sessions answers with a fixed outcome and keeps the request.
type sessions struct {
	session verification.Session
	known   bool
	err     error
	calls   int
	got     verification.CreateRequest
}

func (s *sessions) Create(ctx context.Context, r verification.CreateRequest) (verification.Created, error) {
	Observe(ctx, Upstream{"token", 200, 1500 * time.Microsecond})
	Observe(ctx, Upstream{"create_session", 201, 2 * time.Millisecond})
	Observe(ctx, Upstream{"secret", 0, 4 * time.Millisecond})
	s.calls++
	s.got = r
	return verification.Created{Session: s.session, Known: s.known}, s.err
}

func claims(sub string) RequestContext {
	return RequestContext{RequestID: "req-1", Claims: map[string]json.RawMessage{"sub": json.RawMessage(sub)}}
}

func newAPI(s *sessions, identity RequestContext) *CreateSession {
	return &CreateSession{Sessions: s, Callers: Callers{RequestContext: func(*http.Request) RequestContext { return identity }}, Log: slog.New(slog.DiscardHandler)}
}

func post(t *testing.T, c *CreateSession, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	apitest.CheckAnswer(t, r, w)
	return w
}

func ptr[T any](v T) *T { return &v }

func TestCreateSession_created(t *testing.T) {
	t.Parallel()
	full := verification.Session{ID: "s/1", Number: ptr(int64(1234)), Token: "abcdef123456", URL: "https://verify.didit.me/session/abcdef123456",
		VendorData: ptr("user<&>"), Metadata: json.RawMessage(`{"z":1.50,"a":"<&>","n":123456789012345678901234567890}`), Status: "Not Started",
		WorkflowID: workflow, Callback: ptr("https://example.com/?a=1&b=2")}
	newer := full
	newer.WorkflowVersion, newer.Kind = ptr(int64(3)), ptr("user")
	const fullJSON = `{"session_id":"s/1","session_number":1234,"session_token":"abcdef123456","vendor_data":"user<&>",` +
		`"metadata":{"z":1.50,"a":"<&>","n":123456789012345678901234567890},"status":"Not Started","workflow_id":"` + workflow +
		`","callback":"https://example.com/?a=1&b=2","url":"https://verify.didit.me/session/abcdef123456"`
	for _, test := range []struct {
		name    string
		session verification.Session
		want    string
	}{
		{"nine fields", full, fullJSON + `}`},
		{"newer fields", newer, fullJSON + `,"workflow_version":3,"session_kind":"user"}`},
		{"nulls", verification.Session{ID: "s", URL: "u"}, `{"session_id":"s","session_number":null,"session_token":"","vendor_data":null,` +
			`"metadata":null,"status":"","workflow_id":"","callback":null,"url":"u"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for known, status := range map[bool]int{false: http.StatusCreated, true: http.StatusOK} {
				w := post(t, newAPI(&sessions{session: test.session, known: known}, claims(`"u"`)), "application/json", `{}`)
				if w.Code != status || w.Body.String() != test.want {
					t.Errorf("on record %v: got %d %s\nwant %d %s", known, w.Code, w.Body, status, test.want)
				}
				for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json",
					"Location": "sessions/" + strings.ReplaceAll(test.session.ID, "/", "%2F")} {
					if got := w.Header().Get(name); got != want {
						t.Errorf("on record %v, %s: got %q, want %q", known, name, got, want)
					}
				}
			}
		})
	}
}

func TestCreateSession_caller(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", 2049) + `"`
	for _, test := range []struct {
		name     string
		trustIAM bool
		identity RequestContext
		want     verification.Caller
		refused  bool
	}{
		{"signed in", false, claims(`"user-123"`), verification.Caller{Principal: "user-123"}, false},
		{"no claims", false, RequestContext{}, verification.Caller{}, true},
		{"claim of another name", false, RequestContext{Claims: map[string]json.RawMessage{"email": json.RawMessage(`"x"`)}}, verification.Caller{}, true},
		{"number", false, claims(`7`), verification.Caller{}, true},
		{"null", false, claims(`null`), verification.Caller{}, true},
		{"empty", false, claims(`""`), verification.Caller{}, true},
		{"white space", false, claims(`" "`), verification.Caller{}, true},
		{"list as text", false, claims(`"[a b]"`), verification.Caller{}, true},
		{"object as text", false, claims(`"{\"a\":1}"`), verification.Caller{}, true},
		{"NUL", false, claims(`"a\u0000b"`), verification.Caller{}, true},
		{"too long", false, claims(long), verification.Caller{}, true},
		{"iam where users sign in", false, RequestContext{IAM: true}, verification.Caller{}, true},
		{"iam", true, RequestContext{IAM: true}, verification.Caller{Trusted: true}, false},
		{"user where iam is asked for", true, claims(`"u"`), verification.Caller{}, true},
		{"identity pool", true, RequestContext{IAM: true, IdentityPool: true}, verification.Caller{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &sessions{session: verification.Session{ID: "s", URL: "u"}}
			c := newAPI(s, test.identity)
			c.Callers.TrustIAM = test.trustIAM
			w := post(t, c, "text/plain", `{}`) // identity is refused before the media type
			if test.refused {
				if w.Code != http.StatusUnauthorized || s.calls != 0 {
					t.Errorf("got %d with %d calls, want 401 with none", w.Code, s.calls)
				}
				return
			}
			w = post(t, c, "", `{}`)
			if w.Code != http.StatusCreated || s.got.Caller != test.want {
				t.Errorf("got %d %+v, want 201 %+v", w.Code, s.got.Caller, test.want)
			}
		})
	}
	s := &sessions{session: verification.Session{ID: "s", URL: "u"}}
	c := newAPI(s, RequestContext{Claims: map[string]json.RawMessage{"username": json.RawMessage(`"bob"`), "sub": json.RawMessage(`"x"`)}})
	c.Callers.PrincipalClaim = "username"
	if post(t, c, "", `{}`); s.got.Caller.Principal != "bob" {
		t.Errorf("PrincipalClaim: got %+v, want bob", s.got.Caller)
	}
}

// Ensure that no two claims make one user: what readers of JSON, API Gateway or Didit may turn into
// the same text is refused, with the reason.
func TestCreateSession_principal(t *testing.T) {
	t.Parallel()
	const taken = ""
	for claim, problem := range map[string]string{
		`"user-123"`:             taken,
		`"auth0|5f7c8ec7c33c6c"`: taken,
		`"jane doe"`:             taken,
		`"ユーザー\ud83d\ude00"`:     taken,
		`"a[b]"`:                 taken,
		`"mapper"`:               taken,
		`"map"`:                  taken,
		`"a map[x:y]"`:           taken,
		`"-[a]"`:                 taken,
		`"` + strings.Repeat("x", verification.MaxVendorData) + `"`: taken,

		`""`:                 "is empty",
		`" \t\u3000"`:        "is empty",
		`" user-123"`:        "white space",
		`"user-123 "`:        "white space",
		`"user-123\u00a0"`:   "white space",
		`"\u2003user-123"`:   "white space",
		`"user-123\u2028"`:   "white space",
		`"user-123\n"`:       "control character",
		`"\tuser-123"`:       "control character",
		`"us\u0000er"`:       "control character",
		`"us\u001fer"`:       "control character",
		`"us\u007fer"`:       "control character",
		`"us\u0085er"`:       "control character",
		`"us\u009ber"`:       "control character",
		`"a\ud800"`:          "U+FFFD",
		`"a\ufffd"`:          "U+FFFD",
		`"a\udc00\ud800"`:    "U+FFFD",
		"\"a\xff\"":          "U+FFFD",
		`"<nil>"`:            "is empty",
		`"[a b]"`:            "array or an object",
		`"[]"`:               "array or an object",
		`" [a]"`:             "array or an object",
		`"\u00a0[a]"`:        "array or an object",
		`"{\"a\":1}"`:        "array or an object",
		`" {"`:               "array or an object",
		`"map[roles:[a b]]"`: "array or an object",
		`"map[]"`:            "array or an object",
		`"  map[a:b]"`:       "array or an object",
		`"` + strings.Repeat("é", verification.MaxVendorData/2) + `x"`: "longer than 2048 bytes",
		`"` + strings.Repeat("x", 3000) + `"`:                          "longer than 2048 bytes",
		`7`:                                                            "not a string",
		`true`:                                                         "not a string",
		`["user-123"]`:                                                 "not a string",
		`{"a":1}`:                                                      "not a string",
		`null`:                                                         "is empty",
	} {
		var out bytes.Buffer
		s := &sessions{session: verification.Session{ID: "s", URL: "u"}}
		c := newAPI(s, claims(claim))
		c.Log = slog.New(slog.NewJSONHandler(&out, nil))
		w := post(t, c, "", `{}`)
		if problem == taken {
			var want string
			if err := json.Unmarshal([]byte(claim), &want); err != nil || w.Code != http.StatusCreated || s.got.Caller.Principal != want {
				t.Errorf("%.60s: got %d, principal %.60q, want 201 for %.60q", claim, w.Code, s.got.Caller.Principal, want)
			}
			continue
		}
		if w.Code != http.StatusUnauthorized || s.calls != 0 || !strings.Contains(w.Body.String(), problem) || !strings.Contains(out.String(), problem) {
			t.Errorf("%.60s: got %d %s with %d calls and the line %s, want 401 that says %q", claim, w.Code, w.Body, s.calls, &out, problem)
		}
		if strings.Contains(w.Body.String()+out.String(), "user-123") {
			t.Errorf("%.60s: the answer or the line shows the claim", claim)
		}
	}
}

// Ensure that what cannot be a request is refused without a call, in the order of the contract.
func TestCreateSession_refused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32)
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		code, detail            string
	}{
		{"text", "text/plain", `{}`, 415, "unsupported_media_type", "Content-Type: application/json"},
		{"form", "application/x-www-form-urlencoded", `{}`, 415, "unsupported_media_type", ""},
		{"utf-16", "application/json; charset=utf-16", `{}`, 415, "unsupported_media_type", ""},
		{"media type before size", "text/plain", strings.Repeat(" ", maxBody+1), 415, "unsupported_media_type", ""},
		{"too large", "application/json", `{"metadata":"` + strings.Repeat("x", maxBody) + `"}`, 413, "payload_too_large", "4 MiB"},
		{"empty", "", "", 400, "invalid_request", "empty"},
		{"white space", "", " \n", 400, "invalid_request", "empty"},
		{"not JSON", "", `{"a":tru}`, 400, "invalid_request", "at byte 9"},
		{"cut off", "", `{"a":1`, 400, "invalid_request", "cut off"},
		{"list", "", `[]`, 400, "invalid_request", "must be a JSON object"},
		{"null", "", `null`, 400, "invalid_request", "must be a JSON object"},
		{"two documents", "", `{} {}`, 400, "invalid_request", "more than one"},
		{"not UTF-8", "", "{\"a\":\"\xff\"}", 400, "invalid_request", "UTF-8"},
		{"33 levels", "", `{"metadata":` + deep + `}`, 400, "invalid_request", "deeper than 32"},
		{"a million levels", "", strings.Repeat("[", 1e6), 400, "invalid_request", "deeper than 32"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &sessions{}
			w := post(t, newAPI(s, claims(`"u"`)), test.contentType, test.body)
			var p map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || p["code"] != test.code || !strings.Contains(p["detail"].(string), test.detail) || s.calls != 0 {
				t.Errorf("got %d %s with %d calls\nwant %d %s %q with none", w.Code, w.Body, s.calls, test.status, test.code, test.detail)
			}
		})
	}
	for _, contentType := range []string{"", "application/json", "APPLICATION/JSON; charset=UTF-8", "application/json;", "application/json; charset"} {
		if w := post(t, newAPI(&sessions{}, claims(`"u"`)), contentType, `{}`); w.Code != http.StatusCreated {
			t.Errorf("content type %q: got %d, want 201", contentType, w.Code)
		}
	}
}

// Ensure that each code is reported as the error table says, over HTTP and directly.
func TestCreateSession_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code   verification.Code
		status int
		shown  string
		direct string
	}{
		{verification.CodeInvalidRequest, 400, "invalid_request", "InvalidRequest"},
		{verification.CodeVendorDataMismatch, 403, "vendor_data_mismatch", ""},
		{verification.CodeFieldNotAllowed, 403, "field_not_allowed", ""},
		{verification.CodeWorkflowNotAllowed, 403, "workflow_not_allowed", "WorkflowNotAllowed"},
		{verification.CodeUserBlocked, 403, "user_blocked", "UserBlocked"},
		{verification.CodeTooManySessions, 429, "too_many_sessions", ""},
		{verification.CodePlanRequired, 502, "plan_required", "PlanRequired"},
		{verification.CodeInsufficientCredits, 502, "insufficient_credits", "InsufficientCredits"},
		{verification.CodeCredentialsRejected, 502, "credentials_rejected", "CredentialsRejected"},
		{verification.CodeThrottled, 503, "throttled", "Throttled"},
		{verification.CodeDiditUnavailable, 503, "didit_unavailable", "DiditUnavailable"},
		{verification.CodeBackendUnavailable, 503, "backend_unavailable", "BackendUnavailable"},
		{verification.CodeDiditTimeout, 504, "didit_timeout", "DiditTimeout"},
		{verification.CodeSecretUnavailable, 500, "internal", "SecretUnavailable"},
		{verification.CodeInternal, 500, "internal", "InternalError"},
		{"no such code", 500, "internal", "InternalError"},
	} {
		t.Run(string(test.code), func(t *testing.T) {
			t.Parallel()
			failure := &verification.Error{Code: test.code, Reason: "PLANTED", RetryAfter: 41500 * time.Millisecond}
			c := newAPI(&sessions{err: fmt.Errorf("PLANTED: %w", failure)}, claims(`"u"`))
			w := post(t, c, "", `{}`)
			f := failureOf(test.code)
			want := fmt.Sprintf(`{"type":"urn:didit-sessions:problem:%s","title":%q,"status":%d,"detail":%q,"code":%q,"request_id":"req-1"}`,
				test.shown, f.title, test.status, f.sentence, test.shown)
			if w.Code != test.status || w.Body.String() != want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, test.status, want)
			}
			if got := w.Header(); got.Get("Retry-After") != "42" || got.Get("Cache-Control") != "no-store" ||
				got.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got headers %v", got)
			}
			if test.direct == "" {
				return
			}
			_, err := c.Invoke(t.Context(), []byte(`{}`))
			named, ok := errors.AsType[directError](err)
			if !ok || named.ErrorType() != test.direct || strings.Contains(named.Error(), "PLANTED") {
				t.Errorf("direct: got %#v, want %s", err, test.direct)
			}
		})
	}
	w := post(t, newAPI(&sessions{err: errors.New("PLANTED")}, claims(`"u"`)), "", `{}`)
	if w.Code != 500 || strings.Contains(w.Body.String(), "PLANTED") {
		t.Errorf("foreign error: got %d %s", w.Code, w.Body)
	}
}

// Ensure that a refusal of a needless session names the one that stands, in the answer and in the
// log.
func TestCreateSession_needless(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code         verification.Code
		status, next string
	}{
		{verification.CodeAlreadyVerified, "Approved", "verified"},
		{verification.CodeInReview, "In Review", "wait"},
	} {
		var log bytes.Buffer
		c := newAPI(&sessions{err: &verification.Error{Code: test.code, Session: &verification.Record{SessionID: workflow, Status: test.status}}}, claims(`"u"`))
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
		w := post(t, c, "", `{}`)
		f := failureOf(test.code)
		want := fmt.Sprintf(`{"type":"urn:didit-sessions:problem:%s","title":%q,"status":409,"detail":%q,"code":%q,"request_id":"req-1",`+
			`"session_id":%q,"session_status":%q,"next":%q}`, test.code, f.title, f.sentence, test.code, workflow, test.status, test.next)
		if w.Code != 409 || w.Body.String() != want || w.Header().Get("Retry-After") != "" {
			t.Errorf("got %d %s %v, want 409 %s", w.Code, w.Body, w.Header(), want)
		}
		line := fmt.Sprintf(`"session_id":%q,"status":%q,"code":%q,"outcome":"caller"`, workflow, test.status, test.code)
		if !strings.Contains(log.String(), line) {
			t.Errorf("got line %s, want one with %s", log.String(), line)
		}
	}
}

func TestCreateSession_fieldErrors(t *testing.T) {
	t.Parallel()
	failure := &verification.Error{Code: verification.CodeInvalidRequest, Detail: "Didit's sentence <b>", Fields: []verification.FieldError{
		{Field: "callback", Message: "must be a URL."}, {Field: "contact_details.email", Message: "jane@x is bad", Private: true},
		{Field: "newest", Message: "jane@x is worse", Private: true}}}
	c := newAPI(&sessions{err: failure}, claims(`"u"`))
	w := post(t, c, "", `{}`)
	want := `"errors":[{"field":"callback","message":"must be a URL."},{"field":"contact_details.email","message":"jane@x is bad"},{"field":"newest","message":"jane@x is worse"}]`
	if !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), `"detail":"Didit's sentence <b>"`) {
		t.Errorf("got %s\nwant %s", w.Body, want)
	}
	_, err := c.Invoke(t.Context(), []byte(`{}`))
	if got, want := err.Error(), "The request is invalid: callback must be a URL. contact_details.email is invalid. newest is invalid."; got != want {
		t.Errorf("direct: got %q, want %q", got, want)
	}
	failure.Fields = make([]verification.FieldError, 5000)
	for i := range failure.Fields {
		failure.Fields[i].Field, failure.Fields[i].Message = "x", "m"
	}
	if w := post(t, c, "", `{}`); strings.Count(w.Body.String(), `"field"`) != maxFieldErrors {
		t.Errorf("got %d field errors, want %d", strings.Count(w.Body.String(), `"field"`), maxFieldErrors)
	}
}

func TestCreateSession_otherRoutes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, path string }{{"GET", "/sessions"}, {"POST", "/"}, {"POST", "/sessions/"}, {"DELETE", "/sessions"}} {
		s := &sessions{}
		w := httptest.NewRecorder()
		newAPI(s, claims(`"u"`)).ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"code":"not_found"`) || s.calls != 0 {
			t.Errorf("%s %s: got %d %s", test.method, test.path, w.Code, w.Body)
		}
	}
}

func TestCreateSession_direct(t *testing.T) {
	t.Parallel()
	s := &sessions{session: verification.Session{ID: "s", URL: "u", Token: "t"}}
	c := newAPI(s, RequestContext{})
	for _, test := range []struct {
		payload string
		secrets bool
		invalid string
	}{
		{`{}`, true, ""},
		{`{"include_url":true}`, true, ""},
		{`{"include_url":null}`, true, ""},
		{`{"include_url":false}`, false, ""},
		{`{"include_url":"no"}`, true, "include_url"},
	} {
		out, err := c.Invoke(t.Context(), []byte(test.payload))
		if err != nil {
			t.Fatalf("%s: %v", test.payload, err)
		}
		if got := bytes.Contains(out, []byte(`"url"`)) && bytes.Contains(out, []byte(`"session_token"`)); got != test.secrets {
			t.Errorf("%s: got %s", test.payload, out)
		}
		if len(s.got.Fields.Members) != 0 || !s.got.Caller.Trusted {
			t.Errorf("%s: the domain got %+v", test.payload, s.got)
		}
		if got := len(s.got.Invalid) == 1 && s.got.Invalid[0].Field == test.invalid; got != (test.invalid != "") {
			t.Errorf("%s: got invalid %v", test.payload, s.got.Invalid)
		}
	}
	for _, payload := range []string{"", "7", "[]", `{"a":` + strings.Repeat(" ", maxBody) + `1}`} {
		_, err := c.Invoke(t.Context(), []byte(payload))
		if named, ok := errors.AsType[directError](err); !ok || named.ErrorType() != "InvalidRequest" {
			t.Errorf("payload of %d bytes: got %v, want InvalidRequest", len(payload), err)
		}
	}
}

// errKnown stands for a session that was on record already.
var errKnown = errors.New("known")

// Ensure that the log says what came of a call and nothing of what was in it.
func TestCreateSession_log(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want []string
	}{
		{errKnown, []string{`"level":"INFO"`, `"code":"reused"`, `"session_id":"` + sessionID + `"`}},
		{nil, []string{`"level":"INFO"`, `"code":"created"`, `"session_id":"` + sessionID + `"`, `"door":"http"`, `"cold":true`,
			`"attempts":2,`, `"token_ms":1.5,"create_session_ms":2,"secret_ms":4`}},
		{&verification.Error{Code: verification.CodeInvalidRequest, Detail: "PLANTED", Fields: []verification.FieldError{{Field: "f", Message: "PLANTED"}}},
			[]string{`"level":"INFO"`, `"code":"invalid_request"`, `"gateway_request_id":"req-1"`}},
		{&verification.Error{Code: verification.CodeThrottled, RetryAfter: time.Second}, []string{`"level":"WARN"`}},
		{&verification.Error{Code: verification.CodeSecretUnavailable, Reason: "the secret is missing"},
			[]string{`"level":"ERROR"`, `"code":"secret_unavailable"`, `"reason":"the secret is missing"`}},
		{&verification.Error{Code: verification.CodePlanRequired, Detail: "PLANTED"}, []string{`"level":"ERROR"`}},
	} {
		var out bytes.Buffer
		s := &sessions{session: verification.Session{ID: sessionID, URL: "PLANTED", Token: "PLANTED"}, err: test.err}
		if s.known = test.err == errKnown; s.known {
			s.err = nil
		}
		c := newAPI(s, claims(`"PLANTED"`))
		c.Log = slog.New(slog.NewJSONHandler(&out, nil))
		post(t, c, "", `{"metadata":"PLANTED"}`)
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v: got %s, want %s in it", test.err, &out, want)
			}
		}
		if strings.Contains(out.String(), "PLANTED") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v: got %s", test.err, &out)
		}
	}
}
