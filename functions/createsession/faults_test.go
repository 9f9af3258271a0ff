package main

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	dt "didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// Bodies of the two callers whose chances differ: only a request with vendor data may be repeated
// once it has reached Didit.
const (
	named     = `{"vendor_data":"user-123"}`
	anonymous = `{}`
)

func retryAfter(value string) http.Header { return http.Header{"Retry-After": {value}} }

// fault is a row of the fault table: what goes wrong, what the caller is told, and how often
// Didit was asked.
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

	// The session endpoint is too busy, in trouble, or not understood.
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

// The function's time-outs for rows in which nothing answers. The answer leaves before them; grace is for a
// machine that is too busy to see it in time.
const (
	shortTimeout = 3 * time.Second
	// onceTimeout has half of itself for the attempt after the one that got no answer.
	onceTimeout = 12 * time.Second
	grace       = time.Minute
)

func (f fault) hangs() bool { return f.want == "DiditTimeout" || strings.Contains(f.name, "silence") }

// Ensure that each fault gets its answer, on both doors alike, with no more requests than it
// needs and no second session.
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
					w.didit.Inject(fault)
				}
				r := w.invoke(t, []byte(f.body))
				if r.ErrorType != f.want {
					t.Errorf("got %q %s, want %q", r.ErrorType, r.ErrorMessage, f.want)
				}
				f.wantCalls(t, w.didit.Count(dt.OpToken), w.didit.Count(dt.OpCreate))
				if got := len(w.didit.Sessions()); got != f.sessions {
					t.Errorf("got %d sessions, want %d", got, f.sessions)
				}
				if got := w.didit.Count(dt.OpOther); got != 0 {
					t.Errorf("a redirect was followed %d times", got)
				}
				if f.want == "DiditTimeout" && !strings.Contains(r.ErrorMessage, "unknown") {
					t.Errorf("got %q, want it to say that whether a session was created is unknown", r.ErrorMessage)
				}
				w.didit.ClearFaults()
				if r := w.invoke(t, []byte(f.body)); r.Failed() && f.want != "CredentialsRejected" {
					t.Errorf("after the fault: got %q %s", r.ErrorType, r.ErrorMessage)
				}
				if f.body == named && len(w.didit.Sessions()) > 1 {
					t.Errorf("after the fault: %d sessions for one end user", len(w.didit.Sessions()))
				}
			})
		}
	}
}

// world is a function for the row. Where Didit hangs, the time is short, and the function is prepared, so
// that nothing else takes of it.
func (f fault) world(t *testing.T, k kind) *world {
	t.Helper()
	if !f.hangs() {
		return k.world(t, lambdatest.Options{}, nil)
	}
	options := lambdatest.Options{Timeout: shortTimeout, Grace: grace}
	if f.want == "" {
		options.Timeout = onceTimeout
	}
	if f.faults[0].On == dt.OpToken {
		return k.world(t, options, nil)
	}
	w := newUpstreams(t)
	w.secrets.Set(secretID, k.secret)
	w.start(t, options, map[string]string{"DIDIT_API_VERSION": k.version})
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// wantCalls checks how often Didit was asked. Where the time is over after an attempt, a busy machine has
// none left for the next one, which is not made then.
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

// Ensure that Didit's advice is passed on over HTTP, and 30 s where it gives none that can be used.
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
			w := newWorld(t, 1, nil)
			w.didit.Inject(test.fault)
			a, err := w.invoke(t, event(t, "http-minimal")).HTTP()
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

// Ensure that a Didit at which nobody listens is told apart from one that does not answer.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	url := unreachable(t)
	for _, test := range []struct{ variable, want string }{
		{"DIDIT_AUTH_URL", "DiditUnavailable"}, {"DIDIT_API_URL", "DiditUnavailable"},
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "BackendUnavailable"},
	} {
		w := newWorld(t, 1, map[string]string{test.variable: url})
		if r := w.invoke(t, []byte(anonymous)); r.ErrorType != test.want {
			t.Errorf("%s: got %q %s, want %q", test.variable, r.ErrorType, r.ErrorMessage, test.want)
		}
	}
}

// unreachable is a URL at which nothing listens: its port is taken, by the near end of a connection, so
// that no other process gets it meanwhile.
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

// Ensure that trouble with the secret is named, and mended as soon as the secret is.
func TestSecretFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		arrange func(*lambdatest.SecretsManager)
		want    string
		logged  string
	}{
		{"throttled", fail(lambdatest.Throttled), "BackendUnavailable", "throttles"},
		{"internal error", fail(lambdatest.InternalError), "BackendUnavailable", "trouble"},
		{"reset", fail(lambdatest.Reset), "BackendUnavailable", "out of reach"},
		{"silence", fail(lambdatest.Silence), "BackendUnavailable", "out of reach"},
		{"denied", fail(lambdatest.AccessDenied), "SecretUnavailable", "may not read"},
		{"missing", fail(lambdatest.NotFound), "SecretUnavailable", "does not exist"},
		{"marked for deletion", fail(lambdatest.MarkedForDeletion), "SecretUnavailable", "deletion"},
		{"not to be decrypted", fail(lambdatest.DecryptionFailure), "SecretUnavailable", "KMS"},
		{"empty", set(" "), "SecretUnavailable", "empty"},
		{"not JSON", set("PLANTED"), "SecretUnavailable", "not a JSON object"},
		{"incomplete", set(`{"client_id":"PLANTED"}`), "SecretUnavailable", "neither"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, nil)
			test.arrange(w.secrets)
			r := w.invoke(t, []byte(named))
			if r.ErrorType != test.want || !strings.Contains(string(w.Logs()), test.logged) {
				t.Errorf("got %q, want %q; logs %s, want %q in them", r.ErrorType, test.want, w.Logs(), test.logged)
			}
			if strings.Contains(string(w.Logs())+r.ErrorMessage, "PLANTED") {
				t.Errorf("the secret's content is told: %s %s", r.ErrorMessage, w.Logs())
			}
			w.secrets.ClearFaults()
			w.secrets.Set(secretID, pairSecret)
			if r := w.invoke(t, []byte(named)); r.Failed() {
				t.Errorf("after the repair: got %q %s", r.ErrorType, r.ErrorMessage)
			}
			// What is cached serves while Secrets Manager is down.
			w.secrets.Fail(lambdatest.InternalError, lambdatest.UntilCleared)
			if r := w.invoke(t, []byte(named)); r.Failed() {
				t.Errorf("with Secrets Manager down: got %q %s", r.ErrorType, r.ErrorMessage)
			}
		})
	}
}

func fail(f lambdatest.SecretsFault) func(*lambdatest.SecretsManager) {
	return func(m *lambdatest.SecretsManager) { m.Fail(f, lambdatest.UntilCleared) }
}

func set(value string) func(*lambdatest.SecretsManager) {
	return func(m *lambdatest.SecretsManager) { m.Set(secretID, value) }
}

// Ensure that the AWS SDK's own variables keep their meaning.
func TestSecretAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, map[string]string{"AWS_MAX_ATTEMPTS": "1"})
	w.secrets.Fail(lambdatest.InternalError, lambdatest.UntilCleared)
	if r := w.invoke(t, []byte(named)); r.ErrorType != "BackendUnavailable" || w.reads() != 1 {
		t.Errorf("got %q after %d reads, want BackendUnavailable after 1", r.ErrorType, w.reads())
	}
}
