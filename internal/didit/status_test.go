package didit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answered is an [http.RoundTripper] that counts requests, and answers each with the status.
type answered struct{ status, requests int }

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	a.requests++
	if a.status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"status":"Approved"}`)), Request: r}, nil
}

func clientOf(secret string, transport http.RoundTripper) *Client {
	return &Client{APIURL: "https://didit.invalid", Transport: transport, Credentials: &CredentialCache{
		Read: func(context.Context) (string, error) { return secret, nil }}}
}

// Ensure that a status is read in one request, whatever comes of it, and a decision in two.
func TestClient_Status_once(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500, 503, 404, 429, 0} {
		a := &answered{status: status}
		d, err := clientOf(`{"api_key":"key"}`, a).Status(t.Context(), "11111111-2222-3333-4444-555555555555")
		if a.requests != 1 || (err == nil) != (status == 200) || err == nil && d.Status != "Approved" {
			t.Errorf("%d: got %d requests, status %q, error %v, want 1 request", status, a.requests, d.Status, err)
		}
	}
	a := &answered{status: 503}
	if _, err := clientOf(`{"api_key":"key"}`, a).Decision(t.Context(), "11111111-2222-3333-4444-555555555555"); err == nil || a.requests != 2 {
		t.Errorf("a decision: got %d requests, error %v, want 2 and an error", a.requests, err)
	}
}

// Ensure that the version follows from the credentials unless it is configured.
func TestClient_APIVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		secret     string
		configured Version
		want       Version
		fails      bool
	}{
		{`{"api_key":"key"}`, "", V3, false},
		{`{"client_id":"id","client_secret":"secret"}`, "", V2, false},
		{`{"client_id":"id","client_secret":"secret"}`, V3, V3, false},
		{`{"api_key":"key"}`, V2, V2, false},
		{`{}`, "", "", true},
		{`{}`, V2, V2, false},
	} {
		c := clientOf(test.secret, nil)
		c.Version = test.configured
		got, err := c.APIVersion(t.Context())
		if (err != nil) != test.fails || err == nil && got != test.want {
			t.Errorf("%s, configured %q: got %s, error %v, want %s", test.secret, test.configured, got, err, test.want)
		}
	}
}
