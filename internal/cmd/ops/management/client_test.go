package management

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const testKey = "key-that-must-not-be-seen"

// answer serves one answer to every request and returns a client of it, and the request it got.
func answer(t *testing.T, status int, body string) (*Client, *http.Request) {
	t.Helper()
	got := new(http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*got = *r
		w.Header().Set("Location", "/elsewhere/")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return &Client{URL: server.URL + "/", Key: testKey}, got
}

func TestClient_Workflows(t *testing.T) {
	t.Parallel()
	const one = `{"uuid":"11111111-2222-3333-4444-555555555555","workflow_label":"KYC","status":"published","is_default":true}`
	for _, body := range []string{"[" + one + "]", `{"count":1,"results":[` + one + `]}`} {
		c, request := answer(t, 200, body)
		got, err := c.Workflows(t.Context())
		if err != nil || len(got) != 1 || got[0].ID != "11111111-2222-3333-4444-555555555555" || !got[0].Default || !got[0].Usable() {
			t.Errorf("Workflows of %s: got %+v, %v", body, got, err)
		}
		if request.Method != "GET" || request.URL.Path != "/v3/workflows/" || request.Header.Get("X-Api-Key") != testKey {
			t.Errorf("the request: got %s %s with key %q", request.Method, request.URL, request.Header.Get("X-Api-Key"))
		}
	}
}

func TestWorkflow_Usable(t *testing.T) {
	t.Parallel()
	for w, want := range map[Workflow]bool{{}: true, {Status: "Published"}: true, {Status: "draft"}: false, {Archived: true}: false} {
		if got := w.Usable(); got != want {
			t.Errorf("%+v: got %t, want %t", w, got, want)
		}
	}
}

func TestClient_Balance(t *testing.T) {
	t.Parallel()
	c, _ := answer(t, 200, `{"balance":"12.50","auto_refill_enabled":true,"auto_refill_threshold":"5"}`)
	if got, err := c.Balance(t.Context()); err != nil || got != (Balance{"12.50", true}) {
		t.Errorf("Balance: got %+v, %v", got, err)
	}
}

// Ensure that every refusal is an error of its kind, and that no error holds the key.
func TestClient_Do_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{401, `{"detail":"no"}`, "the key is refused"},
		{403, `{"detail":"You do not have permission to perform this action."}`, "the key is refused"},
		{302, "", "status 302"},
		{400, `{"url":["This webhook destination already exists for the application."]}`, "url: This webhook destination"},
		{400, `["odd"]`, "status 400 from Didit: odd"},
		{404, "<html>", "status 404"},
		{500, `{"detail":"Server error."}`, "status 500 from Didit: Server error."},
		{200, "<html>", "not the JSON"},
		{200, `"` + strings.Repeat("a", maxAnswer) + `"`, "longer than"},
	} {
		c, _ := answer(t, test.status, test.body)
		err := c.Do(t.Context(), "GET", "/v3/workflows/", nil, new(map[string]any))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("status %d with %.40q: got %v, want %q", test.status, test.body, err, test.want)
		}
		if refused := test.status == 401 || test.status == 403; errors.Is(err, ErrRefused) != refused {
			t.Errorf("status %d: got ErrRefused %t, want %t", test.status, !refused, refused)
		}
		if text := fmt.Sprintf("%v %+v %#v %v", err, c, *c, c.Key); strings.Contains(text, testKey) {
			t.Errorf("status %d: the key is in %q", test.status, text)
		}
	}
}
