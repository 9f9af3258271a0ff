package didit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// wireTo is a transport that keeps requests, with their bodies, and answers them in memory.
type wireTo struct {
	answer func(r *http.Request) (status int, body string, header http.Header)

	mu   sync.Mutex
	sent []*http.Request
	body []string
}

func (w *wireTo) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.body = append(w.sent, r), append(w.body, string(body))
	status, text, header := w.answer(r)
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// alwaysAnswer answers every request alike.
func alwaysAnswer(status int, body string) func(*http.Request) (int, string, http.Header) {
	return func(*http.Request) (int, string, http.Header) { return status, body, nil }
}

// eraser is a client whose pace passes no time.
func eraser(secret string, answer func(*http.Request) (int, string, http.Header)) (*Client, *wireTo) {
	w := &wireTo{answer: answer}
	return &Client{
		APIURL: "https://didit.test/base", Version: V2, Transport: w, AttemptTimeout: time.Hour,
		Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return secret, nil }},
		Pace:        &Pace{Sleep: func(context.Context, time.Duration) bool { return true }},
	}, w
}

func listed(t *testing.T, c *Client, vendorData string) (ids []string, owners []string, err error) {
	t.Helper()
	for s, err := range c.ListSessions(t.Context(), vendorData) {
		if err != nil {
			return ids, owners, err
		}
		owner := "<nil>"
		if s.VendorData != nil {
			owner = *s.VendorData
		}
		ids, owners = append(ids, s.ID), append(owners, owner)
	}
	return ids, owners, nil
}

// Ensure that the list is read page by page, as far as Didit says that there is more, with the
// filter, an API key and v3, whatever the version and the kind of secret.
func TestClient_ListSessions(t *testing.T) {
	t.Parallel()
	const user = "ユーザー &?=/+%\"user"
	for secret, key := range map[string]string{pairSecret: "secret-1", keySecret: "key-1"} {
		offsets := ""
		c, w := eraser(secret, func(r *http.Request) (int, string, http.Header) {
			offset := r.URL.Query().Get("offset")
			offsets += offset + " "
			switch offset {
			case "0":
				return 200, `{"count":3,"next":"https://elsewhere.example/steal","previous":null,"results":[{"session_id":"` + strings.ToUpper(sessionID) + `","vendor_data":"a"},{"session_id":"x","vendor_data":null}]}`, nil
			case "2":
				return 200, `{"count":3,"next":null,"results":[{"session_id":"y","vendor_data":17}]}`, nil
			}
			return 500, "", nil
		})
		ids, owners, err := listed(t, c, user)
		if fmt.Sprint(ids, owners, err) != fmt.Sprint([]string{sessionID, "x", "y"}, []string{"a", "<nil>", "17"}, error(nil)) || offsets != "0 2 " {
			t.Errorf("got %q of %q, error %v, offsets %q", ids, owners, err, offsets)
		}
		for _, r := range w.sent {
			if r.Method != "GET" || r.URL.Host != "didit.test" || r.URL.Path != "/base/v3/sessions/" || r.URL.Query().Get("vendor_data") != user ||
				r.URL.Query().Get("limit") != "50" || r.Header.Get("X-Api-Key") != key || r.Header.Get("Authorization") != "" {
				t.Errorf("got %s %s with the key %q", r.Method, r.URL, r.Header.Get("X-Api-Key"))
			}
		}
	}
}

// Ensure that a caller who has seen enough gets no further page, and that no list goes on for ever.
func TestClient_ListSessions_ends(t *testing.T) {
	t.Parallel()
	page := `{"next":"more","results":[` + strings.TrimSuffix(strings.Repeat(`{"session_id":"x","vendor_data":"u"},`, 50), ",") + `]}`
	c, w := eraser(keySecret, alwaysAnswer(200, page))
	for range c.ListSessions(t.Context(), "u") {
		break
	}
	if len(w.sent) != 1 {
		t.Errorf("got %d requests, want 1", len(w.sent))
	}
	ids, _, err := listed(t, c, "u")
	if e, ok := err.(*Error); !ok || e.Kind != KindUnexpected || len(ids) != maxListedSessions {
		t.Errorf("got %d sessions, error %v, want %d and internal", len(ids), err, maxListedSessions)
	}
	c, w = eraser(keySecret, alwaysAnswer(200, `{"next":"more","results":[]}`))
	if ids, _, err := listed(t, c, "u"); err != nil || len(ids) > 0 || len(w.sent) != 1 {
		t.Errorf("an empty page: got %q, error %v, %d requests", ids, err, len(w.sent))
	}
}

// Ensure that each answer to a request of the management API means what it should.
func TestClient_management_answers(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*Client) error{
		"list":        func(c *Client) error { _, _, err := listed(t, c, "u"); return err },
		"session":     func(c *Client) error { return c.DeleteSession(t.Context(), strings.ToUpper(sessionID)) },
		"user":        func(c *Client) error { return c.DeleteUser(t.Context(), `<&>"é`) },
		"no session":  func(c *Client) error { return c.DeleteSession(t.Context(), "../users") },
		"bad secrets": func(c *Client) error { return c.DeleteUser(t.Context(), "u") },
	}
	for _, test := range []struct {
		call     string
		status   int
		body     string
		kind     Kind // empty: success
		requests int
	}{
		{"session", 204, ``, "", 1},
		{"session", 200, `{"deleted":true}`, "", 1},
		{"session", 404, `{"detail":"Not found."}`, KindNotFound, 1},
		{"session", 404, `<h1>Not Found</h1>`, KindUnexpected, 1},
		{"session", 301, ``, KindUnexpected, 1},
		{"session", 400, `["not now"]`, KindInvalidRequest, 1},
		{"session", 400, `<h1>Bad</h1>`, KindUnavailable, 1},
		{"session", 401, `{"detail":"Invalid API Key."}`, KindCredentialsRejected, 2},
		{"session", 403, `{"detail":"You do not have permission to perform this action."}`, KindCredentialsRejected, 2},
		{"session", 429, `{"detail":"Write request rate limit exceeded."}`, KindThrottled, 1},
		{"session", 500, ``, KindUnavailable, 2},
		{"no session", 204, ``, KindNotFound, 0},
		{"user", 200, `{"deleted":0}`, "", 1},
		{"user", 204, ``, "", 1},
		{"user", 400, `["vendor_data_list must not be empty."]`, KindInvalidRequest, 1},
		{"user", 401, `{"detail":"Invalid API Key."}`, KindCredentialsRejected, 2},
		{"user", 403, `{"detail":"You do not have permission to perform this action."}`, KindCredentialsRejected, 2},
		{"user", 502, `<h1>502</h1>`, KindUnavailable, 2},
		{"list", 200, `{"results":[]}`, "", 1},
		{"list", 200, `[]`, KindUnavailable, 2},
		{"list", 200, `{"results":{}}`, KindUnavailable, 2},
		{"list", 200, `{"results":[{"vendor_data":"u"}]}`, KindUnavailable, 2},
		{"list", 200, `<h1>Welcome</h1>`, KindUnavailable, 2},
		{"list", 401, ``, KindCredentialsRejected, 2},
		{"list", 403, `{}`, KindCredentialsRejected, 2},
		{"list", 404, `{"detail":"Not found."}`, KindNotFound, 1},
		{"list", 429, `{}`, KindThrottled, 1},
	} {
		c, w := eraser(keySecret, alwaysAnswer(test.status, test.body))
		err := calls[test.call](c)
		e, failed := err.(*Error)
		if (err != nil) != (test.kind != "") || failed && e.Kind != test.kind || len(w.sent) != test.requests {
			t.Errorf("%s, %d %s: got %v after %d requests, want %q after %d", test.call, test.status, test.body, err, len(w.sent), test.kind, test.requests)
		}
		for i, r := range w.sent {
			want := map[string]string{
				"list": "GET /base/v3/sessions/ ", "session": "DELETE /base/v3/session/" + sessionID + "/delete/ ",
				"user": `POST /base/v3/users/delete/ {"vendor_data_list":["<&>\"é"]}` + "\n",
			}[test.call]
			if got := r.Method + " " + r.URL.Path + " " + w.body[i]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	c, w := eraser(`{"client_id":"id","client_secret":"two words"}`, alwaysAnswer(204, ""))
	if e, ok := calls["bad secrets"](c).(*Error); !ok || e.Kind != KindUnexpected || len(w.sent) > 0 || strings.Contains(e.Error(), "two words") {
		t.Errorf("a secret that no header can have: got %v after %d requests", e, len(w.sent))
	}
}

// Ensure that an answer that was lost does not count as a failure: what is deleted twice is
// deleted.
func TestClient_DeleteSession_repeated(t *testing.T) {
	t.Parallel()
	first := true
	c, w := eraser(keySecret, func(*http.Request) (int, string, http.Header) {
		if first {
			first = false
			return 502, "", nil
		}
		return 404, `{"detail":"Not found."}`, nil
	})
	if e, ok := c.DeleteSession(t.Context(), sessionID).(*Error); !ok || e.Kind != KindNotFound || len(w.sent) != 2 {
		t.Errorf("got %v after %d requests, want not_found after 2", e, len(w.sent))
	}
}

// Ensure that requests keep to the pace, repeated ones included, and that a caller whose time is
// over sends none.
func TestPace(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var slept []time.Duration
	pace := &Pace{Now: func() time.Time { return now }, Sleep: func(_ context.Context, d time.Duration) bool {
		now = now.Add(d)
		slept = append(slept, d)
		return true
	}}
	c, w := eraser(keySecret, alwaysAnswer(500, ""))
	c.Pace = pace
	for range 5 {
		_ = c.DeleteSession(t.Context(), sessionID)
	}
	if fmt.Sprint(slept) != fmt.Sprint(repeat(250*time.Millisecond, 9)) || len(w.sent) != 10 {
		t.Errorf("%d requests after %v, want 10, each 250ms after the one before", len(w.sent), slept)
	}
	now = now.Add(10 * time.Second)
	slept = nil
	first, second := pace.wait(t.Context()), pace.wait(t.Context())
	if !first || !second || fmt.Sprint(slept) != "[250ms]" {
		t.Errorf("after a pause: slept %v, want once: what was not used is gone", slept)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := len(w.sent)
	if e, ok := c.DeleteUser(ctx, "u").(*Error); !ok || e.Kind != KindTimeout || len(w.sent) != before {
		t.Errorf("with its time over: got %v after %d requests, want a timeout and none", e, len(w.sent)-before)
	}
	faster := &Pace{PerSecond: 10, Now: pace.Now, Sleep: pace.Sleep}
	first, second = faster.wait(t.Context()), faster.wait(t.Context())
	if !first || !second || slept[len(slept)-1] != 100*time.Millisecond {
		t.Errorf("ten a second: slept %v", slept)
	}
}

func repeat(d time.Duration, n int) (all []time.Duration) {
	for range n {
		all = append(all, d)
	}
	return all
}

// Ensure that neither the list nor an error prints whom it is about.
func TestListedSession_hidden(t *testing.T) {
	t.Parallel()
	s := ListedSession{ID: sessionID, VendorData: new("user-123")}
	if got := fmt.Sprintf("%v %+v %s", s, s, s); strings.Contains(got, "user-123") {
		t.Errorf("got %s", got)
	}
	c, _ := eraser(keySecret, alwaysAnswer(400, `["user-123"]`))
	if err := c.DeleteUser(t.Context(), "user-123"); strings.Contains(err.Error(), "user-123") || strings.Contains(err.Error(), url.QueryEscape("user-123")) {
		t.Errorf("got %v", err)
	}
}
