package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that a mismatch right after a rotation is waited out, and each other answer explained.
func TestDeliverProbe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answers []string // status and code
		want    string
		waits   int
	}{
		{[]string{"200"}, "", 0},
		{[]string{"404 signature_mismatch", "404 signature_mismatch", "200"}, "", 2},
		{[]string{"404 signature_mismatch"}, "does not accept deliveries that are signed with the destination's secret", 2},
		{[]string{"503 backend_unavailable", "200"}, "", 1},
		{[]string{"503 backend_unavailable"}, "cannot read its secret", 2},
		{[]string{"401 unauthenticated"}, "the function answers with status 401, unauthenticated; look at its log", 0},
		{[]string{"404"}, "there is no webhook at the address", 0},
		{[]string{"403"}, "answers with status 403, and not as the function does", 0},
		{[]string{"302"}, "answers with status 302", 0},
		{[]string{"502", "200"}, "", 1},
	} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			status, code, _ := strings.Cut(tt.answers[min(calls, len(tt.answers)-1)], " ")
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(map[string]int{"200": 200, "302": 302, "401": 401, "403": 403, "404": 404, "502": 502, "503": 503}[status])
			if code != "" {
				_, _ = w.Write([]byte(`{"code":"` + code + `"}`))
			}
		}))
		l := newLocalWorld(t)
		o := &ops{console: l.console(nil, nil)}
		err := o.deliverProbe(t.Context(), server.URL, "secret")
		server.Close()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.answers, err, tt.want)
		}
		if want := slices.Repeat([]time.Duration{probePause}, tt.waits); !slices.Equal(l.waits, want) {
			t.Errorf("%q: waits %v, want %v", tt.answers, l.waits, want)
		}
	}
	o := &ops{console: newLocalWorld(t).console(nil, nil)}
	if err := o.deliverProbe(t.Context(), "http://127.0.0.1:1/webhooks/didit", "secret"); err == nil || !isBlind(err) || !strings.Contains(err.Error(), "is the network up?") {
		t.Errorf("no connection: got %v, want that it could not look", err)
	}
}
