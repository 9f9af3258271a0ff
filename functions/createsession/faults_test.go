package main

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	dt "didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
)

// Bodies of two kinds of callers: only a request with vendor data may be repeated after it has
// reached Didit.
const (
	named     = `{"vendor_data":"user-123"}`
	anonymous = `{}`
)

func retryAfter(value string) http.Header { return http.Header{"Retry-After": {value}} }

// fault is a row of the fault table: what fails, what the caller gets, and how many requests Didit
// got.
type fault struct {
	name     string
	faults   []dt.Fault
	body     string
	want     string // the direct error name, empty for a session
	tokens   int    // token requests
	creates  int    // session requests
	sessions int    // that exist at Didit afterwards
}

func token(status int, body string) dt.Fault {
	return dt.Fault{On: dt.OpToken, Status: status, Body: body}
}

func create(status int, body string) dt.Fault {
	return dt.Fault{On: dt.OpCreate, Status: status, Body: body}
}

func mode(on dt.Op, m dt.Mode) dt.Fault { return dt.Fault{On: on, Mode: m} }

var faults = []fault{
	// The token endpoint.
	{"token 401", []dt.Fault{dt.InvalidClient}, named, "CredentialsRejected", 2, 0, 0},
	{"token 401 described", []dt.Fault{dt.InvalidClientDescribed}, named, "CredentialsRejected", 2, 0, 0},
	{"token 401 message", []dt.Fault{dt.TokenMessage}, named, "CredentialsRejected", 2, 0, 0},
	{"token 401 detail", []dt.Fault{dt.TokenDetail}, named, "CredentialsRejected", 2, 0, 0},
	{"token 400 invalid_client", []dt.Fault{dt.InvalidClient400}, named, "CredentialsRejected", 2, 0, 0},
	{"token 403", []dt.Fault{token(403, `{"detail":"no"}`)}, named, "CredentialsRejected", 2, 0, 0},
	{"token 401 once", []dt.Fault{dt.InvalidClient.Once()}, named, "", 2, 1, 1},
	{"token 400 invalid_request", []dt.Fault{dt.InvalidRequest}, named, "InternalError", 1, 0, 0},
	{"token 400 invalid_grant", []dt.Fault{dt.InvalidGrant}, named, "InternalError", 1, 0, 0},
	{"token 400 HTML", []dt.Fault{token(400, "<html>")}, named, "InternalError", 1, 0, 0},
	{"token 404", []dt.Fault{dt.NotFoundPage.At(dt.OpToken)}, named, "InternalError", 1, 0, 0},
	{"token 301", []dt.Fault{dt.MovedPermanently.At(dt.OpToken)}, named, "InternalError", 1, 0, 0},
	{"token 204", []dt.Fault{token(204, "")}, named, "InternalError", 1, 0, 0},
	{"token 429", []dt.Fault{token(429, `{}`)}, named, "Throttled", 1, 0, 0},
	{"token 500", []dt.Fault{dt.ServerError.At(dt.OpToken)}, named, "DiditUnavailable", 2, 0, 0},
	{"token 500 then 200", []dt.Fault{dt.ServerError.At(dt.OpToken).Once()}, anonymous, "", 2, 1, 1},
	{"token 502 HTML", []dt.Fault{dt.BadGateway.At(dt.OpToken)}, named, "DiditUnavailable", 2, 0, 0},
	{"token 200 HTML", []dt.Fault{dt.HTMLPage.At(dt.OpToken)}, named, "DiditUnavailable", 2, 0, 0},
	{"token without a token", []dt.Fault{token(200, `{"expires_in":86400}`)}, named, "DiditUnavailable", 2, 0, 0},
	{"token of 3 MB", []dt.Fault{{On: dt.OpToken, Status: 200, Body: `{}`, Size: 3 << 20}}, named, "DiditUnavailable", 2, 0, 0},
	{"token truncated once", []dt.Fault{mode(dt.OpToken, dt.ModeTruncated).Once()}, anonymous, "", 2, 1, 1},
	{"token cut off", []dt.Fault{mode(dt.OpToken, dt.ModeCutJSON)}, named, "DiditUnavailable", 2, 0, 0},
	{"token reset once", []dt.Fault{mode(dt.OpToken, dt.ModeResetBefore).Once()}, anonymous, "", 2, 1, 1},
	{"token reset", []dt.Fault{mode(dt.OpToken, dt.ModeResetAfter)}, named, "DiditUnavailable", 2, 0, 0},
	{"token silence", []dt.Fault{mode(dt.OpToken, dt.ModeSilence)}, named, "DiditTimeout", 2, 0, 0},
	{"token drip", []dt.Fault{mode(dt.OpToken, dt.ModeDrip)}, named, "DiditTimeout", 2, 0, 0},

	// The session endpoint refuses.
	{"field required", []dt.Fault{dt.NestedField}, named, "InvalidRequest", 1, 1, 0},
	{"portrait", []dt.Fault{dt.PortraitRequired}, named, "InvalidRequest", 1, 1, 0},
	{"language", []dt.Fault{dt.LanguageInvalid}, named, "InvalidRequest", 1, 1, 0},
	{"workflow of the configuration", []dt.Fault{dt.WorkflowInvalid}, named, "InternalError", 1, 1, 0},
	{"bare array", []dt.Fault{dt.BareArray}, named, "InvalidRequest", 1, 1, 0},
	{"detail array", []dt.Fault{dt.DetailArray}, named, "InvalidRequest", 1, 1, 0},
	{"nested array", []dt.Fault{dt.NestedArray}, named, "InvalidRequest", 1, 1, 0},
	{"paid plan", []dt.Fault{dt.PaidPlan}, named, "PlanRequired", 1, 1, 0},
	{"credits", []dt.Fault{dt.Credits}, named, "InsufficientCredits", 1, 1, 0},
	{"credits by 403", []dt.Fault{dt.CreditsForbidden}, named, "InsufficientCredits", 1, 1, 0},
	{"credits by 403, in other words", []dt.Fault{create(403, `{"detail":"Your credits are used up."}`)}, named, "InsufficientCredits", 1, 1, 0},
	{"credits by 402", []dt.Fault{create(402, dt.Credits.Body)}, named, "InsufficientCredits", 1, 1, 0},
	{"blocked", []dt.Fault{dt.UserBlocked}, named, "UserBlocked", 1, 1, 0},
	{"blocked by 403", []dt.Fault{create(403, dt.UserBlocked.Body)}, named, "UserBlocked", 1, 1, 0},
	{"422", []dt.Fault{create(422, `{"callback":["Enter a valid URL."]}`)}, named, "InvalidRequest", 1, 1, 0},
	{"400 HTML", []dt.Fault{create(400, "<html>")}, named, "DiditUnavailable", 1, 1, 0},
	{"400 empty", []dt.Fault{create(400, "")}, named, "DiditUnavailable", 1, 1, 0},
	{"401", []dt.Fault{dt.Unauthorized}, named, "CredentialsRejected", 2, 2, 0},
	{"401 key", []dt.Fault{dt.InvalidAPIKey}, named, "CredentialsRejected", 2, 2, 0},
	{"403", []dt.Fault{dt.Forbidden}, named, "CredentialsRejected", 2, 2, 0},
	{"403 not authenticated", []dt.Fault{dt.NotAuthenticated}, anonymous, "CredentialsRejected", 2, 2, 0},
	{"403 HTML", []dt.Fault{create(403, "<html>")}, named, "CredentialsRejected", 2, 2, 0},
	{"403 once", []dt.Fault{dt.Forbidden.Once()}, anonymous, "", 2, 2, 1},
	{"404", []dt.Fault{dt.NotFoundPage.At(dt.OpCreate)}, named, "InternalError", 1, 1, 0},
	{"409", []dt.Fault{create(409, `{}`)}, named, "InternalError", 1, 1, 0},
	{"301", []dt.Fault{dt.MovedPermanently.At(dt.OpCreate)}, named, "InternalError", 1, 1, 0},
	{"307", []dt.Fault{dt.TemporaryRedirect.At(dt.OpCreate)}, named, "InternalError", 1, 1, 0},
	{"202", []dt.Fault{create(202, `{}`)}, named, "InternalError", 1, 1, 0},

	// The session endpoint is busy, fails, or gives an unknown answer.
	{"429", []dt.Fault{dt.RateLimited}, named, "Throttled", 1, 1, 0},
	{"429 without a time", []dt.Fault{dt.SandboxQuota}, named, "Throttled", 1, 1, 0},
	{"500", []dt.Fault{dt.ServerError.At(dt.OpCreate)}, named, "DiditUnavailable", 1, 2, 0},
	{"500 anonymous", []dt.Fault{dt.ServerError.At(dt.OpCreate)}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"500 then 201", []dt.Fault{dt.ServerError.At(dt.OpCreate).Once()}, named, "", 1, 2, 1},
	{"500 then 201 anonymous", []dt.Fault{dt.ServerError.At(dt.OpCreate).Once()}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"503 with a time", []dt.Fault{{On: dt.OpCreate, Status: 503, Header: retryAfter("120")}}, named, "DiditUnavailable", 1, 1, 0},
	{"502 HTML", []dt.Fault{dt.BadGateway.At(dt.OpCreate)}, named, "DiditUnavailable", 1, 2, 0},
	{"200 HTML", []dt.Fault{dt.HTMLPage.At(dt.OpCreate)}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"201 without url", []dt.Fault{create(201, `{"session_id":"x"}`)}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"3 MB", []dt.Fault{{On: dt.OpCreate, Status: 201, Body: `{}`, Size: 3 << 20}}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"truncated", []dt.Fault{mode(dt.OpCreate, dt.ModeTruncated)}, anonymous, "DiditUnavailable", 1, 1, 1},
	{"truncated once", []dt.Fault{mode(dt.OpCreate, dt.ModeTruncated).Once()}, named, "", 1, 2, 1},
	{"cut off once", []dt.Fault{mode(dt.OpCreate, dt.ModeCutJSON).Once()}, named, "", 1, 2, 1},
	{"reset before", []dt.Fault{mode(dt.OpCreate, dt.ModeResetBefore)}, anonymous, "DiditUnavailable", 1, 1, 0},
	{"reset before once", []dt.Fault{mode(dt.OpCreate, dt.ModeResetBefore).Once()}, named, "", 1, 2, 1},
	{"reset after", []dt.Fault{mode(dt.OpCreate, dt.ModeResetAfter)}, anonymous, "DiditUnavailable", 1, 1, 1},
	{"reset after once", []dt.Fault{mode(dt.OpCreate, dt.ModeResetAfter).Once()}, named, "", 1, 2, 1},
	{"silence", []dt.Fault{mode(dt.OpCreate, dt.ModeSilence)}, named, "DiditTimeout", 1, 2, 0},
	{"silence anonymous", []dt.Fault{mode(dt.OpCreate, dt.ModeSilence)}, anonymous, "DiditTimeout", 1, 1, 0},
	{"silence after, once", []dt.Fault{mode(dt.OpCreate, dt.ModeSilenceAfter).Once()}, named, "", 1, 2, 1},
	{"drip anonymous", []dt.Fault{mode(dt.OpCreate, dt.ModeDrip)}, anonymous, "DiditTimeout", 1, 1, 1},
}

// Timeouts of the function for rows without an answer of Didit. The function's answer leaves before
// them; grace is for a busy machine.
const (
	shortTimeout = 3 * time.Second
	// onceTimeout leaves half of it for the attempt after the one without an answer.
	onceTimeout = 12 * time.Second
	grace       = time.Minute
)

func (f fault) hangs() bool { return f.want == "DiditTimeout" || strings.Contains(f.name, "silence") }

// Ensure that each fault gets its answer with no more requests than needed and without a second
// session.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for _, f := range faults {
			if f.hangs() && k.version != "" {
				continue // takes seconds, and does not depend on the version
			}
			if k.usesKey() {
				if f.faults[0].On == dt.OpToken {
					continue
				}
				f.tokens = 0
			}
			t.Run(k.name+" "+f.name, func(t *testing.T) {
				t.Parallel()
				w := f.world(t, k)
				for _, fault := range f.faults {
					w.Didit.Inject(fault)
				}
				r := w.Call(t, []byte(f.body))
				if r.ErrorType != f.want {
					t.Errorf("got %q %s, want %q", r.ErrorType, r.ErrorMessage, f.want)
				}
				f.wantCalls(t, w.Didit.Count(dt.OpToken), w.Didit.Count(dt.OpCreate))
				if got := len(w.Didit.Sessions()); got != f.sessions {
					t.Errorf("got %d sessions, want %d", got, f.sessions)
				}
				if got := w.Didit.Count(dt.OpOther); got != 0 {
					t.Errorf("a redirect was followed %d times", got)
				}
				if f.want == "DiditTimeout" && !strings.Contains(r.ErrorMessage, "unknown") {
					t.Errorf("got %q, want it to say that whether a session was created is unknown", r.ErrorMessage)
				}
				w.Didit.ClearFaults()
				if r := w.Call(t, []byte(f.body)); r.Failed() && f.want != "CredentialsRejected" {
					t.Errorf("after the fault: got %q %s", r.ErrorType, r.ErrorMessage)
				}
				if f.body == named && len(w.Didit.Sessions()) > 1 {
					t.Errorf("after the fault: %d sessions for one end user", len(w.Didit.Sessions()))
				}
			})
		}
	}
}

// world is a function for the row. If Didit hangs, the timeout is short and the function is started
// with init, so that other services take no time of it.
func (f fault) world(t *testing.T, k kind) *world {
	t.Helper()
	if !f.hangs() {
		return k.world(t, lambdatest.Options{})
	}
	options := lambdatest.Options{Timeout: shortTimeout, Grace: grace}
	if f.want == "" {
		options.Timeout = onceTimeout
	}
	if f.faults[0].On == dt.OpToken {
		return k.world(t, options)
	}
	w := newIdle(t)
	w.Secrets.Set(stage.SecretID, k.secret)
	options.Env = map[string]string{"DIDIT_API_VERSION": k.version}
	w.start(t, options)
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// wantCalls checks how often Didit was asked. On a busy machine there may be no time left for a
// second attempt.
func (f fault) wantCalls(t *testing.T, tokens, creates int) {
	t.Helper()
	if f.want == "DiditTimeout" && f.creates == 2 && creates == 1 {
		f.creates = 1
	}
	if f.want == "DiditTimeout" && f.tokens == 2 && tokens == 1 {
		f.tokens = 1
	}
	if tokens != f.tokens || creates != f.creates {
		t.Errorf("got %d token requests and %d creates, want %d and %d", tokens, creates, f.tokens, f.creates)
	}
}

// Ensure that Retry-After is Didit's over HTTP, and 30 s if Didit sends none that is usable.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	inAnHour := time.Now().Add(time.Hour).UTC()
	for _, test := range []struct {
		name  string
		fault dt.Fault
		want  string
	}{
		{"2", dt.Fault{On: dt.OpCreate, Status: 429, Header: retryAfter("2")}, "2"},
		{"3600", dt.Fault{On: dt.OpCreate, Status: 429, Header: retryAfter("3600")}, "3600"},
		{"date", dt.Fault{On: dt.OpCreate, Status: 429, Header: retryAfter(inAnHour.Format(http.TimeFormat))}, "date"},
		{"past", dt.Fault{On: dt.OpCreate, Status: 429, Header: retryAfter("Sun, 06 Nov 1994 08:49:37 GMT")}, "30"},
		{"none", dt.Fault{On: dt.OpCreate, Status: 429}, "30"},
		{"503", dt.Fault{On: dt.OpCreate, Status: 503, Header: retryAfter("7")}, "7"},
		{"token", dt.Fault{On: dt.OpToken, Status: 429, Header: retryAfter("9")}, "9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lambdatest.Options{})
			w.Didit.Inject(test.fault)
			a, err := w.Call(t, event(t, "http-minimal")).HTTP()
			if err != nil {
				t.Fatal(err)
			}
			got := a.Header.Get("Retry-After")
			if test.want == "date" {
				seconds, _ := strconv.Atoi(got)
				if late := time.Until(inAnHour).Seconds(); float64(seconds) < late-1 || seconds > 3600 {
					t.Errorf("got Retry-After %q, want %.0f to 3600", got, late-1)
				}
				return
			}
			if got != test.want || a.Status != 503 {
				t.Errorf("got %d, Retry-After %q, want 503, %q", a.Status, got, test.want)
			}
		})
	}
}

// Ensure that the error for an unreachable Didit differs from that for one that does not answer.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	url := unreachable(t)
	for _, test := range []struct{ variable, want string }{
		{"DIDIT_AUTH_URL", "DiditUnavailable"}, {"DIDIT_API_URL", "DiditUnavailable"},
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "BackendUnavailable"},
	} {
		w := newWorld(t, lambdatest.Options{Env: map[string]string{test.variable: url}})
		if r := w.Call(t, []byte(anonymous)); r.ErrorType != test.want {
			t.Errorf("%s: got %q %s, want %q", test.variable, r.ErrorType, r.ErrorMessage, test.want)
		}
	}
}

// unreachable returns a URL without a listener. The near end of a connection occupies the port, so
// that no other process gets it.
func unreachable(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return "http://" + conn.LocalAddr().String()
}

// Ensure that the error says what is wrong with the secret, and that calls succeed once it is
// fixed.
func TestSecretFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		arrange func(*awsfake.SecretsManager)
		want    string
		logged  string
	}{
		{"throttled", fail(awsfake.Throttled), "BackendUnavailable", "throttles"},
		{"internal error", fail(awsfake.InternalError), "BackendUnavailable", "fails or throttles"},
		{"reset", fail(awsfake.Reset), "BackendUnavailable", "out of reach"},
		{"silence", fail(awsfake.Silence), "BackendUnavailable", "out of reach"},
		{"denied", fail(awsfake.AccessDenied), "SecretUnavailable", "may not read"},
		{"missing", fail(awsfake.NotFound), "SecretUnavailable", "does not exist"},
		{"marked for deletion", fail(awsfake.MarkedForDeletion), "SecretUnavailable", "deletion"},
		{"not to be decrypted", fail(awsfake.DecryptionFailure), "SecretUnavailable", "KMS"},
		{"empty", set(" "), "SecretUnavailable", "empty"},
		{"not JSON", set("PLANTED"), "SecretUnavailable", "not a JSON object"},
		{"incomplete", set(`{"client_id":"PLANTED"}`), "SecretUnavailable", "neither"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lambdatest.Options{})
			test.arrange(w.Secrets)
			r := w.Call(t, []byte(named))
			if r.ErrorType != test.want || !strings.Contains(string(w.Logs()), test.logged) {
				t.Errorf("got %q, want %q; logs %s, want %q in them", r.ErrorType, test.want, w.Logs(), test.logged)
			}
			if strings.Contains(string(w.Logs())+r.ErrorMessage, "PLANTED") {
				t.Errorf("the secret's content is shown: %s %s", r.ErrorMessage, w.Logs())
			}
			w.Secrets.ClearFaults()
			w.Secrets.Set(stage.SecretID, stage.PairSecret)
			if r := w.Call(t, []byte(named)); r.Failed() {
				t.Errorf("after the repair: got %q %s", r.ErrorType, r.ErrorMessage)
			}
			// The cached value is used while Secrets Manager is down.
			w.Secrets.Fail(awsfake.InternalError, awsfake.UntilCleared)
			if r := w.Call(t, []byte(named)); r.Failed() {
				t.Errorf("with Secrets Manager down: got %q %s", r.ErrorType, r.ErrorMessage)
			}
		})
	}
}

func fail(f awsfake.Fault) func(*awsfake.SecretsManager) {
	return func(m *awsfake.SecretsManager) { m.Fail(f, awsfake.UntilCleared) }
}

func set(value string) func(*awsfake.SecretsManager) {
	return func(m *awsfake.SecretsManager) { m.Set(stage.SecretID, value) }
}

// Ensure that the AWS SDK's own variables keep their meaning.
func TestSecretAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{Env: map[string]string{"AWS_MAX_ATTEMPTS": "1"}})
	w.Secrets.Fail(awsfake.InternalError, awsfake.UntilCleared)
	if r := w.Call(t, []byte(named)); r.ErrorType != "BackendUnavailable" || w.reads() != 1 {
		t.Errorf("got %q after %d reads, want BackendUnavailable after 1", r.ErrorType, w.reads())
	}
}
