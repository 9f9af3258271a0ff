package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// answered is what the problem of an answer says.
func answered(t *testing.T, w *httptest.ResponseRecorder) (code, detail string, fields []string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	return string(p.Code), p.Detail, fields
}

// Ensure that a body is refused for its size in values, except inside of the fields of which only
// the text is kept, by either door.
func TestCreateSession_values(t *testing.T) {
	t.Parallel()
	list := func(n int) string { return "[0" + strings.Repeat(",0", n-2) + "]" } // n values with itself
	const most, tooMany = maxValues - 1, "The body has more than 1000 values."   // the body itself is one
	policy := verification.Policy{ExtraFields: []string{"newest", "callback"}}
	for _, test := range []struct {
		body, says string
	}{
		{`{"expected_details":` + list(most) + `}`, ""},
		{`{"expected_details":` + list(most+1) + `}`, tooMany},
		{`{"nonsense":` + list(most) + `}`, ""},
		{`{"nonsense":` + list(most+1) + `}`, tooMany},
		{`{"callback":` + list(most+1) + `}`, tooMany}, // exists: it is no extra field
		{`{"contact_details":{"metadata":` + list(most+1) + `}}`, tooMany},
		{`{"a":[[[` + list(most) + `]]]}`, tooMany},
		{`{"a":0` + strings.Repeat(`,"a":0`, most) + `}`, tooMany},
		{`{"metadata":0` + strings.Repeat(`,"metadata":0`, most) + `}`, tooMany},
		{list(maxValues + 1), tooMany},
		{`{"metadata":` + list(10*maxValues) + `}`, ""},
		{`{"newest":` + list(100*maxValues) + `}`, ""},
		{`{"portrait_image":` + list(100*maxValues) + `}`, ""},
		{`{"metadata":[],"newest":{},"other":` + list(most-2) + `}`, ""},
		{`{"metadata":[],"newest":{},"other":` + list(most-1) + `}`, tooMany},
	} {
		s := &sessions{session: verification.Session{ID: "s", URL: "u"}}
		c := newAPI(s, claims(`"u"`))
		c.MaxRaw = policy.MaxRaw
		w := post(t, c, "", test.body)
		_, err := c.Invoke(t.Context(), []byte(test.body))
		if test.says == "" {
			if w.Code != http.StatusCreated || err != nil || s.calls != 2 {
				t.Errorf("%.60s: got %d, %v, want 201 and none", test.body, w.Code, err)
			}
			continue
		}
		if code, detail, _ := answered(t, w); w.Code != http.StatusBadRequest || code != "invalid_request" || detail != test.says || s.calls != 0 {
			t.Errorf("%.60s: got %d %s, want 400 %s", test.body, w.Code, w.Body, test.says)
		}
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.60s, directly: got %v, want %q", test.body, err, test.says)
		}
	}
	c := newAPI(&sessions{session: verification.Session{ID: "s", URL: "u"}}, claims(`"u"`))
	if w := post(t, c, "", `{"newest":`+list(most+1)+`}`); w.Code != http.StatusBadRequest {
		t.Errorf("no policy: got %d, want 400", w.Code)
	}
}

// Ensure that nothing is remembered of metadata beyond its limit, and that what is wrong elsewhere
// is reported nevertheless.
func TestDecodeObject_longMetadata(t *testing.T) {
	t.Parallel()
	names := strings.Repeat(`"a":"\u0000",`, 10_000)
	body := `{"metadata":{` + strings.Repeat(" ", 64<<10) + names + `"a":0},"language":"\ud800","language":0}`
	v, invalid, err := decodeObject([]byte(body), verification.Policy{}.MaxRaw)
	if err != nil || fmt.Sprint(invalid) != fmt.Sprint([]verification.FieldError{
		{Field: "language", Message: "contains a lone surrogate or a NUL character."}, {Field: "language", Message: "is a duplicate key."}}) {
		t.Errorf("got %v, %v, want the two faults of language", invalid, err)
	}
	if got := v.Get("metadata"); len(got.Raw) < 128<<10 || got.Members != nil {
		t.Errorf("got %d bytes and %d members, want the whole text, which the domain refuses", len(got.Raw), len(got.Members))
	}
}

// Ensure that a body that is not sent as it is, or begins with a byte order mark, is refused with
// that reason.
func TestCreateSession_encoding(t *testing.T) {
	t.Parallel()
	for encoding, refused := range map[string]bool{
		"": false, "identity": false, "Identity": false, " identity , identity": false, ",": false,
		"gzip": true, "br": true, "identity, gzip": true, "x-unknown": true, "deflate": true, "identity;q=1": true,
	} {
		r := httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(`{}`))
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		s := &sessions{session: verification.Session{ID: "s", URL: "u"}}
		newAPI(s, claims(`"u"`)).ServeHTTP(w, r)
		if !refused {
			if w.Code != http.StatusCreated {
				t.Errorf("%q: got %d %s, want 201", encoding, w.Code, w.Body)
			}
			continue
		}
		if code, detail, _ := answered(t, w); w.Code != 415 || code != "unsupported_media_type" || !strings.Contains(detail, "Content-Encoding") || s.calls != 0 {
			t.Errorf("%q: got %d %s, want 415 that names Content-Encoding", encoding, w.Code, w.Body)
		}
	}
	for _, body := range []string{"\ufeff{}", "\ufeff", "\ufeff\ufeff{}"} {
		w := post(t, newAPI(&sessions{}, claims(`"u"`)), "", body)
		if _, detail, _ := answered(t, w); w.Code != 400 || !strings.Contains(detail, "byte order mark") {
			t.Errorf("%q: got %d %s, want 400 that names the byte order mark", body, w.Code, w.Body)
		}
	}
	if _, err := newAPI(&sessions{}, RequestContext{}).Invoke(t.Context(), []byte("\ufeff{}")); err == nil || !strings.Contains(err.Error(), "byte order mark") {
		t.Errorf("directly: got %v, want the byte order mark named", err)
	}
	// An order of refusals: who it is, what it is, how large it is.
	r := httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(strings.Repeat(" ", maxBody+1)))
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	if newAPI(&sessions{}, claims(`"u"`)).ServeHTTP(w, r); w.Code != 415 {
		t.Errorf("too large and encoded: got %d, want 415", w.Code)
	}
}

// Ensure that a body of an announced length is read whole, whatever was announced.
func TestReadBody(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, length := range []int{0, 1, 511, 512, 513, limit - 1, limit, limit + 1} {
		for _, announced := range []int64{-1, 0, 1, int64(length), limit, limit + 1, 1 << 40} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", length)))
			r.ContentLength = announced
			body, err := readBody(r, limit, "")
			if tooLarge := length > limit; tooLarge != (err != nil) || !tooLarge && len(body) != length || r.Body != http.NoBody {
				t.Errorf("%d bytes, announced as %d: got %d, %v", length, announced, len(body), err)
			}
		}
	}
}
