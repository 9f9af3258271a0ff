package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// Ensure that a session's way shows up hop by hop, each once, and without what opens a session or
// is about a person.
func TestTimeline_story(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	x := doJSON(t, "POST", s.url+"/local/workflows", "", `{"user_id":"dave"}`, 201)
	body := `{"metadata":{"plan":"premium"},"contact_details":{"email":"dave@example.com","phone":"+14155552671"},"expected_details":{"first_name":"Davidson"}}`
	session := doJSON(t, "POST", s.url+"/sessions", "dave", body, 200)
	settle(t, s)
	decide(t, session.URL, "Approved")
	settle(t, s)
	if _, err := s.workflows.wait(t.Context(), x.Name); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		doJSON(t, "GET", s.url+"/sessions/"+session.SessionID, "dave", "", 200)
	}
	do(t, "GET", s.url+"/nowhere", "", "", "")
	_, text := do(t, "GET", s.url+"/local/state", "", "", "")
	var now state
	if err := json.Unmarshal([]byte(text), &now); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range now.Hops {
		got = append(got, fmt.Sprintf("%s %s: %s", h.Kind, strings.ReplaceAll(h.Title, session.SessionID, "ID"), h.Result))
		if h.Kind != "didit" && !strings.Contains(h.Title, "nowhere") && h.SessionID != session.SessionID {
			t.Errorf("%s is about session %q", got[len(got)-1], h.SessionID)
		}
	}
	for _, want := range []string{
		"didit POST /auth/v2/token/: 200", "didit POST /v2/session/: 201", "table recorded: Not Started", "table a task waits: Not Started",
		"task execution-1: waiting", "request POST /sessions: 200", "webhook status.updated: Approved: 200",
		"event Verification Session Status Updated: Approved", "table Not Started → Approved: Approved", "task execution-1: verified",
		"request GET /sessions/ID: 200", "request GET /nowhere: 404",
	} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(h string) bool { return h != want })); n == 0 || n > 1 && !strings.HasPrefix(want, "didit ") {
			t.Errorf("got %q %d times in\n%s", want, n, strings.Join(got, "\n"))
		}
	}
	if polls := now.Hops[len(now.Hops)-2]; polls.Times != 3 {
		t.Errorf("three equal answers: got %+v, want one hop", polls)
	}
	token := session.URL[strings.LastIndex(session.URL, "/")+1:]
	for _, secret := range []string{
		token, "premium", "dave@example.com", "4155552671", "Davidson", "Carmen", "CAA000000", didittest.DefaultClientSecret,
		didittest.DefaultWebhookSecret, "Bearer dave", "Basic c2",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("the state holds %q", secret)
		}
	}
	for _, shown := range []string{"X-Signature: •••", "Authorization: Bearer •••", `\"session_token\": \"•••\"`, `\"vendor_data\": \"dave\"`, `\"detail-type\": \"Verification`} {
		if !strings.Contains(text, shown) {
			t.Errorf("the state lacks %q", shown)
		}
	}
}

// sent counts what a transport carries.
type sent struct{ atomic.Int64 }

func (s *sent) RoundTrip(*http.Request) (*http.Response, error) {
	s.Add(1)
	return nil, errors.New("x")
}

// Ensure that the delivery about a session waits for its record, as at Didit, whose webhooks take
// longer than its answers, and not for long if there is none.
func TestDeliveries_afterRecord(t *testing.T) {
	t.Parallel()
	const id = "99999999-2222-3333-4444-555555555555"
	for _, recorded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, carried := &system{}, &sent{}
			s.watch.now = time.Now
			start := time.Now()
			go func() {
				r := httptest.NewRequest("POST", "/webhooks/didit", strings.NewReader(""))
				r.GetBody = func() (io.ReadCloser, error) {
					return io.NopCloser(strings.NewReader(`{"session_id":"` + id + `"}`)), nil
				}
				_, _ = deliveries{carried, s}.RoundTrip(r)
			}()
			synctest.Wait()
			s.watch.timeline.add(hop{Title: "another"})
			synctest.Wait()
			if carried.Load() > 0 {
				t.Error("it was sent before the record")
			}
			if recorded {
				if _, _, err := (table{&s.store, &s.watch}).Add(t.Context(), verification.NewRecord(id, "u-1", "", "Not Started", start)); err != nil {
					t.Fatal(err)
				}
			} else {
				time.Sleep(maxRecordWait)
			}
			synctest.Wait()
			if carried.Load() != 1 {
				t.Errorf("recorded %v: it was sent %d times after %v, want once", recorded, carried.Load(), time.Since(start))
			}
		})
	}
}

// Ensure that the faults of the simulator, which take over the connection, pass the observer.
func TestTimeline_faults(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	for fault, want := range map[string]string{"reset_before": "no answer", "rate_limited": "429"} {
		known, _ := didittest.Known(fault)
		s.simulator.Inject(known.At(didittest.OpCreate))
		doJSON(t, "POST", s.url+"/sessions", "alice", `{}`, 503)
		if h := latest(t, s, "didit"); h.Result != want || h.Tone != "bad" {
			t.Errorf("%s: got %+v, want %s", fault, h, want)
		}
		s.simulator.ClearFaults()
	}
	s.simulator.Inject(didittest.Fault{On: didittest.OpCreate, Mode: didittest.ModeDrip, Pause: time.Nanosecond})
	doJSON(t, "POST", s.url+"/sessions", "alice", `{}`, 201)
}

// Ensure that a call that waits returns with the next hop, or with its context.
func TestTimeline_wait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l timeline
		returned := make(chan int64, 1)
		go func() {
			l.wait(t.Context(), 0)
			_, version := l.since(0)
			returned <- version
		}()
		synctest.Wait()
		l.add(hop{Title: "x"})
		if version := <-returned; version != 1 {
			t.Errorf("got version %d, want 1", version)
		}
		l.wait(t.Context(), 0) // something is newer: at once
	})
}

// Ensure that the timeline forgets the oldest hops, and that since has only what changed.
func TestTimeline_since(t *testing.T) {
	t.Parallel()
	var l timeline
	for i := range maxHops + 5 {
		l.add(hop{Title: fmt.Sprint(i)})
	}
	all, version := l.since(0)
	if len(all) != maxHops || all[0].Title != "5" || version != maxHops+5 {
		t.Errorf("got %d hops from %s, version %d", len(all), all[0].Title, version)
	}
	if all[0].Parts == nil {
		t.Error("got no list of parts, want an empty one: the page goes through it")
	}
	if news, _ := l.since(version - 2); len(news) != 2 || news[1].Title != fmt.Sprint(maxHops+4) {
		t.Errorf("got %+v, want the last two", news)
	}
}

func TestRedactBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ contentType, body, want string }{
		{"application/json", ``, ``},
		{"application/json", `{"url":"https://x","score":0.5,"ok":true,"none":null,"status":"Approved"}`, "{\n  \"none\": null,\n  \"ok\": true,\n  \"score\": \"•••\",\n  \"status\": \"Approved\",\n  \"url\": \"•••\"\n}"},
		{"application/json", `{"features":["A",{"feature":"A<","x":["y"]}]}`, "{\n  \"features\": [\n    \"A\",\n    {\n      \"feature\": \"A<\",\n      \"x\": [\n        \"•••\"\n      ]\n    }\n  ]\n}"},
		{"application/json", `"secret"`, `"•••"`},
		{"application/json", `{"a":1} {"b":2}`, "(15 bytes of application/json)"},
		{"text/html; charset=utf-8", `<p>Carmen</p>`, "(13 bytes of text/html)"},
		{"", "secret", "(6 bytes of no named kind)"},
		{"application/x-www-form-urlencoded", "grant_type=client_credentials&client_secret=s", "client_secret=•••&grant_type=client_credentials"},
		{"application/json", `"` + strings.Repeat("x", maxShownBody) + `"`, "(more than 65536 bytes)"},
	} {
		if got := redactBody(test.contentType, []byte(test.body)); got != test.want {
			t.Errorf("%s %.80s: got %s, want %s", test.contentType, test.body, got, test.want)
		}
	}
}

func TestRedactHeaders(t *testing.T) {
	t.Parallel()
	got := redactHeaders(http.Header{
		"Authorization": {"Bearer alice"}, "X-Api-Key": {"k"}, "X-Signature-V2": {"s"}, "Cookie": {"c"}, "Content-Type": {"a", "b"}, "X-New": {"?"},
		"Location": {"http://127.0.0.1/session/oM6bfv_AZ4CS?returning"},
	})
	want := []string{"Authorization: Bearer •••", "Content-Type: a, b", "Cookie: •••", "Location: http://127.0.0.1/session/•••?returning", "X-Api-Key: •••", "X-New: •••", "X-Signature-V2: •••"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := redactHeaders(http.Header{"Authorization": {"token-without-scheme"}}); got[0] != "Authorization: •••" {
		t.Errorf("got %q", got)
	}
}
