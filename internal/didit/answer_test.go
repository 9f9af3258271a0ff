package didit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
)

func ptr[T any](v T) *T { return &v }

// seedSession is the answer on Didit's page, with numbers and characters that a decoder of
// less care would change.
const seedSession = "{\"session_id\":\"11111111-2222-3333-4444-555555555555\",\"session_number\":1234," +
	"\"session_token\":\"abcdef123456\",\"vendor_data\":\"user-123\"," +
	"\"metadata\":{\"user_type\": \"premium\", \"b\":12345678901234567890.10,\"a\":\"<\u2028&\\u00e9\"}," +
	"\"status\":\"Not Started\",\"workflow_id\":\"99999999-2222-3333-4444-555555555555\"," +
	"\"callback\":\"https://example.com/verification/callback\",\"url\":\"https://verify.didit.me/session/abcdef123456\""

const seedMetadata = "{\"user_type\": \"premium\", \"b\":12345678901234567890.10,\"a\":\"<\u2028&\\u00e9\"}"

func TestClient_CreateSession_answers(t *testing.T) {
	t.Parallel()
	seed := Session{
		ID: "11111111-2222-3333-4444-555555555555", Number: ptr(int64(1234)), Token: "abcdef123456",
		URL: "https://verify.didit.me/session/abcdef123456", VendorData: ptr("user-123"), Metadata: []byte(seedMetadata),
		Status: "Not Started", WorkflowID: workflow, Callback: ptr("https://example.com/verification/callback"),
	}
	v3 := seed
	v3.WorkflowVersion, v3.Kind = ptr(int64(7)), ptr("user")
	numberAsText := Session{ID: "i", URL: "u", Number: ptr(int64(1234)), WorkflowVersion: ptr(int64(-2))}
	odd := Session{ID: "i", URL: "u", Metadata: []byte(`[1,"x"]`), VendorData: ptr(`["a"]`), WorkflowID: "7"}
	tests := []struct {
		name   string
		status int
		body   string
		want   Session
	}{
		{"the nine fields", 201, seedSession + "}", seed},
		{"200 is a success", 200, seedSession + "}", seed},
		{"the newer fields", 201, seedSession + `,"workflow_version":7,"session_kind":"user","more":{"a":[1]}}`, v3},
		{"an old session comes back", 201, `{"session_id":"i","url":"u","status":"In Progress"}`, Session{ID: "i", URL: "u", Status: "In Progress"}},
		{"an unknown status", 201, `{"session_id":"i","url":"u","status":"KYC weird"}`, Session{ID: "i", URL: "u", Status: "KYC weird"}},
		{"only what is needed", 201, `{"session_id":"i","url":"u"}`, Session{ID: "i", URL: "u"}},
		{
			"nulls", 201,
			`{"session_id":"i","url":"u","session_number":null,"session_token":null,"vendor_data":null,"status":null,"workflow_id":null,"callback":null,"workflow_version":null,"session_kind":null}`,
			Session{ID: "i", URL: "u"},
		},
		{"metadata null", 201, `{"session_id":"i","url":"u","metadata":null}`, Session{ID: "i", URL: "u", Metadata: []byte("null")}},
		{"empty texts are there", 201, `{"session_id":"i","url":"u","vendor_data":"","callback":""}`, Session{ID: "i", URL: "u", VendorData: ptr(""), Callback: ptr("")}},
		{"numbers as strings", 201, `{"session_id":"i","url":"u","session_number":"1234","workflow_version":"-2"}`, numberAsText},
		{
			"odd types", 201,
			`{"session_id":"i","url":"u","session_number":{"n":1},"session_token":5,"vendor_data":["a"],"metadata":[1,"x"],"status":true,"workflow_id":7,"callback":{},"workflow_version":1.5,"session_kind":[]}`,
			odd,
		},
		{"a lone surrogate", 201, `{"session_id":"i","url":"u","vendor_data":"a\ud800"}`, Session{ID: "i", URL: "u", VendorData: ptr(`"a\ud800"`)}},
		{"a number too long", 201, `{"session_id":"i","url":"u","session_number":99999999999999999999}`, Session{ID: "i", URL: "u"}},
		{"the largest number", 201, `{"session_id":"i","url":"u","session_number":9223372036854775807}`, Session{ID: "i", URL: "u", Number: ptr(int64(9223372036854775807))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, reply(tt.status, tt.body))
			got, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), nameless)
			if err != nil {
				t.Fatalf("%d %s: %v", tt.status, tt.body, err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%d %s:\ngot  %s\nwant %s", tt.status, tt.body, fields(got), fields(tt.want))
			}
		})
	}
}

// An answer of 1 MiB is read whole.
func TestClient_CreateSession_longAnswer(t *testing.T) {
	t.Parallel()
	metadata := `"` + strings.Repeat("m", 1<<20) + `"`
	fake := newFake(t, nil, reply(201, `{"metadata":`+metadata+`,"session_id":"i","url":"u"}`))
	got, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), nameless)
	if err != nil || got.ID != "i" || string(got.Metadata) != metadata {
		t.Errorf("got %v with %d bytes of metadata, %v, want session i with %d", got, len(got.Metadata), err, len(metadata))
	}
}

// fields prints what a session's own Format hides.
func fields(s Session) string {
	return jsonText(map[string]any{
		"id": s.ID, "number": s.Number, "token": s.Token, "url": s.URL, "vendor_data": s.VendorData, "metadata": string(s.Metadata),
		"status": s.Status, "workflow_id": s.WorkflowID, "callback": s.Callback, "version": s.WorkflowVersion, "kind": s.Kind,
	})
}

// Answers that say success and are none. Without vendor data they are not asked for again.
func TestClient_CreateSession_unreadableAnswers(t *testing.T) {
	t.Parallel()
	long := `{"session_id":"i","url":"u","metadata":"` + strings.Repeat("m", 3<<20) + `"}`
	tests := []struct {
		name    string
		status  int
		body    string
		want    Kind
		because string
	}{
		{"no session_id", 201, `{"url":"u"}`, KindUnavailable, "no session_id or no url"},
		{"no url", 200, `{"session_id":"i"}`, KindUnavailable, "no session_id or no url"},
		{"empty url", 201, `{"session_id":"i","url":""}`, KindUnavailable, "no session_id or no url"},
		{"session_id null", 201, `{"session_id":null,"url":"u"}`, KindUnavailable, "no session_id or no url"},
		{"session_id a number", 201, `{"session_id":5,"url":"u"}`, KindUnavailable, "no session_id or no url"},
		{"null", 201, `null`, KindUnavailable, "no session_id or no url"},
		{"empty", 201, ``, KindUnavailable, "not JSON"},
		{"list", 201, `[]`, KindUnavailable, "not JSON"},
		{"HTML", 200, `<html>hello</html>`, KindUnavailable, "not JSON"},
		{"half of it", 201, `{"session_id":"i","url":"u"`, KindUnavailable, "not JSON"},
		{"two documents", 201, okSession + okSession, KindUnavailable, "not JSON"},
		{"3 MB", 201, long, KindUnavailable, "answer too long"},
		{"202", 202, okSession, KindUnexpected, ""},
		{"204", 204, ``, KindUnexpected, ""},
		{"206", 206, okSession, KindUnexpected, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, reply(tt.status, tt.body))
			got, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), nameless)
			input := tt.body[:min(len(tt.body), 80)]
			e := failure(t, input, err)
			if e.Kind != tt.want || e.Reason != tt.because || e.Op != "create_session" || e.Detail != "" || e.Fields != nil {
				t.Errorf("%d %s: got %+v, want %v: %s", tt.status, input, e, tt.want, tt.because)
			}
			if !reflect.DeepEqual(got, Session{}) {
				t.Errorf("%d %s: got %s beside an error", tt.status, input, fields(got))
			}
			if _, posts := fake.counts(); posts != 1 {
				t.Errorf("%d %s: got %d POSTs, want 1", tt.status, input, posts)
			}
		})
	}
}

// endless is a body that only Close ends, as that of a 101 is.
type endless chan struct{}

func (e endless) Read([]byte) (int, error) { <-e; return 0, io.EOF }
func (e endless) Close() error             { close(e); return nil }

// tripper is an [http.RoundTripper].
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Ensure that an answer whose body no deadline ends keeps neither a call nor the requests for a
// token.
func TestClient_switchingProtocols(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"/auth", "/v2"} {
		synctest.Test(t, func(t *testing.T) {
			asked := map[string]int{}
			c := &Client{AuthURL: "http://didit.test", APIURL: "http://didit.test", Credentials: &CredentialCache{Read: func(context.Context) (string, error) {
				return `{"client_id":"a","client_secret":"b"}`, nil
			}}}
			c.Transport = tripper(func(r *http.Request) (*http.Response, error) {
				where := "/v2"
				if strings.HasPrefix(r.URL.Path, "/auth") {
					where = "/auth"
				}
				asked[where]++
				if where == odd && asked[where] == 1 {
					return &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: http.Header{}, Body: make(endless), Request: r}, nil
				}
				body := `{"session_id":"` + sessionID + `","url":"u","access_token":"t","expires_in":3600}`
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})
			_, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"})
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != KindUnexpected {
				t.Errorf("%s: got error %v, want %s", odd, err, KindUnexpected)
			}
			if _, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"}); err != nil {
				t.Errorf("%s, afterwards: got error %v, want none", odd, err)
			}
		})
	}
}

// Ensure that a status that is no word of Didit's is none.
func TestClient_CreateSession_oddStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{"In Progress": "In Progress", strings.Repeat("x", 65): "", `Carmen\nEspañola`: ""} {
		s, err := parseSession(answer{body: []byte(`{"session_id":"` + sessionID + `","url":"u","status":"` + status + `"}`)})
		if err != nil || s.Status != want {
			t.Errorf("%q: got %q, error %v, want %q", status, s.Status, err, want)
		}
	}
}
