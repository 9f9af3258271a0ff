package didittest

import (
	"strings"
	"testing"
)

// Ensure the control API does for webhooks what the methods do, and shows no secret.
func TestControl_webhook(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	now := newClock()
	r := serve(t, &Server{Now: now.Now})
	v := r.created(userOrder)
	want := `{"url":"` + h.URL + `","version":"v1","quirks":[]}`
	if got := r.control("POST", "/simulator/webhook", `{"url":"`+h.URL+`","secret":"rotated","version":"v1"}`); got.status != 200 || got.body != want {
		t.Errorf("status %d, body %s\nwant %s", got.status, got.body, want)
	}
	if got := r.control("POST", "/simulator/webhook/quirks", `{"quirk":"never","times":1}`); got.status != 201 || got.body != `{"quirk":"never","times":1}` {
		t.Errorf("quirk: status %d, body %s", got.status, got.body)
	}
	if got := r.do("GET", "/simulator/webhook", ""); got.body != strings.Replace(want, "[]", `[{"quirk":"never","times":1}]`, 1) {
		t.Errorf("body %s", got.body)
	}
	if got := r.control("POST", "/simulator/sessions/"+v.SessionID+"/status", `{"status":"Expired"}`); got.status != 200 {
		t.Errorf("status %d, body %s", got.status, got.body)
	}
	if got := r.control("POST", "/simulator/sessions/"+v.SessionID+"/data", `{}`); got.status != 200 || !strings.Contains(got.body, v.SessionID) {
		t.Errorf("data: status %d, body %s", got.status, got.body)
	}
	r.settle()
	lost := r.Deliveries()[0].EventID
	resent := `{"time":"2026-03-01T12:00:00Z","event_id":"` + lost + `","webhook_type":"status.updated","webhook_version":"v1","session_id":"` + v.SessionID +
		`","session_status":"Expired","attempt":1,"resent":true,"status":200,"problem":"","quirk":""}`
	if got := r.control("POST", "/simulator/deliveries/"+lost+"/resend", `{}`); got.status != 200 || got.body != resent {
		t.Errorf("status %d, body %s\nwant %s", got.status, got.body, resent)
	}
	if got := r.do("GET", "/simulator/deliveries", ""); got.status != 200 || !strings.HasPrefix(got.body, `{"deliveries":[{`) || !strings.HasSuffix(got.body, resent+`]}`) {
		t.Errorf("body %s", got.body)
	}
	if w := h.got(); len(w) != 2 || w[1].header.Get("X-Signature") != hexHMAC("rotated", w[1].body) {
		t.Errorf("delivered %+v", w)
	}
	r.Misdeliver(SendTwice, 0)
	if got := r.do("DELETE", "/simulator/webhook/quirks", ""); got.status != 200 || got.body != want {
		t.Errorf("DELETE: status %d, body %s", got.status, got.body)
	}
}

func TestControl_webhookRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, tt := range []struct {
		path, body string
		status     int
		want       string // beginning of the error
	}{
		{"/simulator/webhook", `{"url":"example.com"}`, 400, `url: not an http or https URL`},
		{"/simulator/webhook", `{"version":"v9"}`, 400, `version: \"v9\" is not one of v1, v2, v3`},
		{"/simulator/webhook", `{"uri":""}`, 400, `body: unknown field \"uri\"`},
		{"/simulator/webhook/quirks", `{"quirk":"odd"}`, 400, `quirk: \"odd\" is not one of [`},
		{"/simulator/webhook/quirks", `{"quirk":"late","times":-1}`, 400, `times: -1 is negative`},
		{"/simulator/webhook/quirks", `[]`, 400, ``},
		{"/simulator/deliveries/none/resend", `{}`, 404, `unknown event \"none\"`},
		{"/simulator/deliveries/none/resend", ``, 400, `body: EOF`},
		{"/simulator/sessions/none/data", `{}`, 404, `unknown session \"none\"`},
		{"/simulator/sessions/none/data", `{"x":1}`, 400, `body: unknown field \"x\"`},
	} {
		if got := r.control("POST", tt.path, tt.body); got.status != tt.status || !strings.HasPrefix(got.body, `{"error":"`+tt.want) {
			t.Errorf("%s %s: status %d, body %s\nwant %d, %s…", tt.path, tt.body, got.status, got.body, tt.status, tt.want)
		}
	}
	for _, path := range []string{"/simulator/webhook", "/simulator/webhook/quirks", "/simulator/deliveries/none/resend", "/simulator/sessions/none/data"} {
		if got := r.do("POST", path, `{}`, "Content-Type", "text/plain"); got.status != 400 || !strings.Contains(got.body, "Content-Type") {
			t.Errorf("%s as text/plain: status %d, body %s", path, got.status, got.body)
		}
	}
}
