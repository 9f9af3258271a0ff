package main

import (
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// Ensure that the log says why a request was refused, and does not repeat what an app asks again
// and again.
func TestLog(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	s := startSystem(t, nil, &log)
	created := doJSON(t, "POST", s.url+"/sessions", "alice", `{}`, 201)
	target := s.url + "/sessions/" + created.SessionID
	for range 3 {
		doJSON(t, "GET", target, "alice", "", 200)
		do(t, "GET", s.url+"/sessions", "bob", "", "")
	}
	decide(t, created.URL, "Approved")
	settle(t, s)
	doJSON(t, "GET", target, "alice", "", 200)
	do(t, "POST", s.url+"/sessions", "alice", "", `{"callback":"https://elsewhere.example.com/","contact_details":{"phone":"1"},"Carmen":1}`)
	do(t, "POST", s.url+"/sessions", "alice", "", `{"portrait_image":"x"}`)
	do(t, "GET", s.url+"/sessions", "", "", "")
	s.simulator.Inject(didittest.PaidPlan)
	do(t, "POST", s.url+"/sessions", "bob", "", `{}`)
	for text, times := range map[string]int{
		"gateway  200  GET  /sessions/{session_id}": 2,
		"gateway  200  GET  /sessions  ":            1,
		"gateway  400  POST /sessions  invalid_request: (an unknown field), callback, contact_details.phone  ":                   0, // in the order of the body:
		"gateway  400  POST /sessions  invalid_request: contact_details.phone, (an unknown field), callback  ":                   1,
		"ALLOWED_CALLBACKS lists: https://app.example.com/verified,myapp://":                                                     1,
		"gateway  403  POST /sessions  field_not_allowed: portrait_image  ":                                                      1,
		"gateway  401  GET  /sessions  by the gateway":                                                                           1,
		"level=ERROR operation=create_session reason=\"didit: create_session: plan_required (status 400)\" code=plan_required\n": 1,
		"Carmen": 0, "elsewhere": 0, " 0s": 0,
	} {
		if got := strings.Count(log.String(), text); got != times {
			t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, times, &log)
		}
	}
}

// Ensure that a web page on the developer's machine can be a callback, and no other page over http.
func TestCallback_local(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"jwt", "iam"} {
		s := startSystem(t, map[string]string{"CALLER_AUTH": mode, "THROTTLE_BURST": "100"}, &lockedBuffer{})
		authorization, vendor := "alice", ""
		if mode == "iam" {
			authorization, vendor = "AWS4-HMAC-SHA256 x", `"vendor_data":"alice",`
		}
		for callback, want := range map[string]bool{
			"http://localhost:5173/done?x=1": true, "http://localhost/": true, "http://127.0.0.1:3000": true, "http://[::1]:3000/": true,
			"http://localhost.example.com/": false, "http://user@localhost/": false, "http://10.0.2.2/": false, "http://localhost:99999/": false, "ftp://localhost/": false,
		} {
			response, body := do(t, "POST", s.url+"/sessions", authorization, "application/json", `{`+vendor+`"callback":"`+callback+`"}`)
			if (response.StatusCode < 300) != want {
				t.Errorf("%s, %s: got %d %s", mode, callback, response.StatusCode, body)
			}
		}
	}
}
