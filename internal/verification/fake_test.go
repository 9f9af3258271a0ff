package verification

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/didit"
)

const (
	workflow      = "11111111-2222-3333-4444-555555555555"
	otherWorkflow = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	okSession     = `{"session_id":"99999999-2222-3333-4444-555555555555","url":"https://verify.didit.me/session/abc","status":"Not Started"}`
)

var (
	trusted  = Caller{Trusted: true}
	signedIn = Caller{Principal: "user-123"}
)

// noon stands still on a day that no test depends on.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// recorder is a [Provider] that keeps what it is asked and answers with a fixed outcome.
type recorder struct {
	session didit.Session
	err     error

	mu       sync.Mutex
	requests []didit.SessionRequest
}

func (r *recorder) CreateSession(_ context.Context, request didit.SessionRequest) (didit.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	return r.session, r.err
}

// newCreator has a policy under which the fewest requests fail.
func newCreator(p Provider) *Creator {
	return &Creator{Didit: p, Now: noon, Policy: Policy{WorkflowIDs: []string{workflow}, UserFields: UserFields}}
}

// wire is a session endpoint of Didit that answers every request alike, and keeps their bodies.
type wire struct {
	client *didit.Client

	mu     sync.Mutex
	bodies []string
}

// roundTrip is an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newWire makes the endpoint, in memory and with time: on a busy machine a request would run into
// the limit of an attempt. A header is a name and a value.
func newWire(t *testing.T, status int, answer string, header ...string) *wire {
	t.Helper()
	w := new(wire)
	handler := func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v3/session/" {
			t.Errorf("Didit got %s %s, error %v", r.Method, r.URL, err)
		}
		w.mu.Lock()
		w.bodies = append(w.bodies, string(body))
		w.mu.Unlock()
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, answer)
	}
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		rw := httptest.NewRecorder()
		handler(rw, r)
		return rw.Result(), r.Body.Close()
	})
	w.client = &didit.Client{APIURL: "https://didit.invalid", Transport: transport, AttemptTimeout: time.Hour, Credentials: &didit.CredentialCache{
		Read: func(context.Context) (string, error) { return `{"api_key":"key"}`, nil }}}
	return w
}

// sent is the one body that arrived, by field.
func (w *wire) sent(t *testing.T, input string) Value {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.bodies) != 1 {
		t.Fatalf("%s: Didit got %d requests, want 1", clip(input), len(w.bodies))
	}
	return parse(t, w.bodies[0])
}

// at is the value at a dotted path.
func at(v Value, path string) Value {
	for name := range strings.SplitSeq(path, ".") {
		v = v.Get(name)
	}
	return v
}

// parse reads a JSON text as the doors do.
func parse(t *testing.T, text string) Value {
	t.Helper()
	v, err := parseJSON(json.RawMessage(text))
	if err != nil {
		t.Fatalf("the test's own JSON %s: %v", clip(text), err)
	}
	return v
}

func parseJSON(raw json.RawMessage) (v Value, err error) {
	raw = bytes.TrimSpace(raw)
	v.Raw = raw
	switch {
	case len(raw) == 0:
		return v, errors.New("nothing to read")
	case raw[0] == '{':
		v.Kind = KindObject
		v.Members, err = parseMembers(raw)
	case raw[0] == '[':
		v.Kind = KindArray
		var items []json.RawMessage
		err = json.Unmarshal(raw, &items)
		for _, item := range items {
			inner, innerErr := parseJSON(item)
			v.Items, err = append(v.Items, inner), errors.Join(err, innerErr)
		}
	case raw[0] == '"':
		v.Kind = KindString
		err = json.Unmarshal(raw, &v.Text)
	case raw[0] == 't', raw[0] == 'f':
		v.Kind = KindBool
		err = json.Unmarshal(raw, &v.Bool)
	case raw[0] != 'n':
		v.Kind = KindNumber
	}
	return v, err
}

func parseMembers(raw json.RawMessage) (members []Member, err error) {
	tokens := json.NewDecoder(bytes.NewReader(raw))
	if _, err := tokens.Token(); err != nil {
		return nil, err
	}
	for tokens.More() {
		name, err := tokens.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := tokens.Decode(&value); err != nil {
			return nil, err
		}
		v, err := parseJSON(value)
		if err != nil {
			return nil, err
		}
		members = append(members, Member{Name: name.(string), Value: v})
	}
	_, err = tokens.Token()
	return members, err
}

// create sends a body through the service.
func create(t *testing.T, s *Creator, caller Caller, body string) (Created, error) {
	t.Helper()
	return s.Create(t.Context(), CreateRequest{Caller: caller, Fields: parse(t, body)})
}

// accepted returns what Didit gets for a body.
func accepted(t *testing.T, policy Policy, caller Caller, body string) Value {
	t.Helper()
	w := newWire(t, 201, okSession)
	s := newCreator(w.client)
	s.Policy = policy
	if _, err := create(t, s, caller, body); err != nil {
		t.Fatalf("%s: got %v %v, want it accepted", clip(body), err, fieldsOf(err))
	}
	return w.sent(t, body)
}

// unredacted returns the text of a value, which its own printing hides.
func unredacted(v Value) string { return string(v.Raw) }

// refused is the error of a body that must be refused before Didit is asked.
func refused(t *testing.T, policy Policy, caller Caller, body string) *Error {
	t.Helper()
	r := new(recorder)
	s := newCreator(r)
	s.Policy = policy
	_, err := create(t, s, caller, body)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%s: got error %v (%T), want an *Error", clip(body), err, err)
	}
	if len(r.requests) != 0 {
		t.Errorf("%s: got %d calls of Didit, want none", clip(body), len(r.requests))
	}
	return e
}

// wantRefusal checks code and paths, in their order.
func wantRefusal(t *testing.T, input string, e *Error, code Code, paths ...string) {
	t.Helper()
	if e.Code != code || !slices.Equal(pathsOf(e.Fields), paths) {
		t.Errorf("%s: got %s %q, want %s %q", clip(input), e.Code, fieldsOf(e), code, paths)
	}
}

func pathsOf(fields []FieldError) (paths []string) {
	for _, f := range fields {
		paths = append(paths, f.Field)
	}
	return paths
}

// fieldsOf is what an error says of the fields: "path message".
func fieldsOf(err error) (texts []string) {
	if e, ok := errors.AsType[*Error](err); ok {
		for _, f := range e.Fields {
			texts = append(texts, f.Field+" "+f.Message)
		}
	}
	return texts
}

// clip keeps a long input out of the messages.
func clip(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// bodyWith is a body with a value at a path, and with members beside it.
func bodyWith(path, value, beside string) string {
	parent, name, nested := strings.Cut(path, ".")
	switch {
	case nested && beside != "":
		return `{"workflow_id":"` + workflow + `","` + parent + `":{"` + name + `":` + value + `,` + beside + `}}`
	case nested:
		return `{"workflow_id":"` + workflow + `","` + parent + `":{"` + name + `":` + value + `}}`
	case path == "workflow_id":
		return `{"workflow_id":` + value + `}`
	default:
		return `{"workflow_id":"` + workflow + `","` + path + `":` + value + `}`
	}
}
