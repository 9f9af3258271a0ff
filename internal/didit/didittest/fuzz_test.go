package didittest

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// FuzzCreate holds that no body upsets the simulator: the answer is always JSON, a session or a
// 400, and metadata that was taken comes back as it was, spaces aside.
func FuzzCreate(f *testing.F) {
	f.Add(userOrder)
	f.Add(`{"workflow_id":"` + workflow + `","metadata":{"a":[1.0,"<\u2028>"],"simulate":"x"}}`)
	f.Add(`{"workflow_id":"` + workflow + `","metadata":{"simulate":"detail_array"}}`)
	f.Add(`{"workflow_id":1,"vendor_data":1e5,"callback":"myapp:x","language":"es"}`)
	f.Add(`{"workflow_id":"x","contact_details":{"email":"x"},"expected_details":{"address":"x","gender":1}}`)
	f.Add(`[1`)
	f.Add(`{"workflow_id":"` + workflow + `","mEtadata":{"a":[1.0]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "simulate") {
			t.Skip("asks for a fault, which may be anything")
		}
		s := &Server{}
		req := httptest.NewRequest("POST", "/v3/session/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", DefaultAPIKey)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if !json.Valid(w.Body.Bytes()) || w.Code != 201 && w.Code != 400 || (w.Code == 201) != (len(s.Sessions()) == 1) {
			t.Fatalf("%q: status %d, body %s, %d sessions", body, w.Code, w.Body, len(s.Sessions()))
		}
		if w.Code != 201 {
			return
		}
		// In maps, because a struct would take "mEtadata" for the same field.
		var sent, got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(strings.Fields(string(sent["metadata"]))) == 1 && string(sent["metadata"]) != string(got["metadata"]) {
			t.Errorf("metadata %s came back as %s", sent["metadata"], got["metadata"])
		}
	})
}

// FuzzPaths holds that no path upsets the simulator, and that what looks like a session token is
// never noted.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{
		"/", "/session/abcdef123456", "/es/session/abcdef123456/decision", "/v2/session", "//x",
		"/session/abcdef123456/session/abcdef123456",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		s := &Server{}
		req := httptest.NewRequest("GET", "/", nil)
		req.URL.Path = path
		s.ServeHTTP(httptest.NewRecorder(), req)
		for _, got := range s.Requests() {
			if tokenAfter.MatchString(got.Path) {
				t.Errorf("path %q was noted as %q", path, got.Path)
			}
		}
	})
}

var tokenAfter = regexp.MustCompile(`/session/[A-Za-z0-9_-]{12}(/|$)`)
