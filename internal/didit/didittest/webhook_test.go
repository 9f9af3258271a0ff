package didittest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A hook is an endpoint for webhooks that keeps what it gets.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	seen []webhook
}

type webhook struct {
	header http.Header
	body   string
}

// newHook answers with the given statuses in turn, the last of which lasts.
func newHook(t *testing.T, statuses ...int) *hook {
	t.Helper()
	h := new(hook)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.seen = append(h.seen, webhook{r.Header.Clone(), string(body)})
		status := statuses[min(len(h.seen), len(statuses))-1]
		h.mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) got() []webhook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// statuses are those of the bodies received.
func (h *hook) statuses(t *testing.T) (list []string) {
	t.Helper()
	for _, w := range h.got() {
		list = append(list, decode[struct{ Status string }](t, w.body).Status)
	}
	return list
}

// noWait repeats at once.
var noWait = []time.Duration{0, 0}

// settle waits for all deliveries.
func (r *rig) settle() {
	r.t.Helper()
	if err := r.Settle(r.t.Context()); err != nil {
		r.t.Fatalf("deliveries have not ended: %v", err)
	}
}

func hexHMAC(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

// Ensure every change of a status is delivered, in order, and nothing else is.
func TestWebhook_statuses(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	r := serve(t, &Server{WebhookURL: h.URL})
	v := r.created(userOrder)
	r.created(userOrder) // the same session
	page := r.visit(v)
	r.visit(v)
	r.choose(page, "In Review")
	r.choose(page, "Approved") // finished
	for _, status := range []string{"Declined", "Declined", "Resubmitted", "Approved", "Kyc Expired"} {
		if err := r.SetStatus(v.SessionID, status); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.EditData(v.SessionID); err != nil {
		t.Fatal(err)
	}
	if err := r.EditData("none"); !errors.Is(err, ErrUnknownSession) {
		t.Errorf("EditData of none: %v, want %v", err, ErrUnknownSession)
	}
	r.settle()
	want := []string{"Not Started", "In Progress", "In Review", "Declined", "Resubmitted", "Approved", "Kyc Expired", "Kyc Expired"}
	if got := h.statuses(t); !slices.Equal(got, want) {
		t.Errorf("delivered %q\nwant %q", got, want)
	}
	ids := map[string]bool{}
	for i, d := range r.Deliveries() {
		kind := "status.updated"
		if i == len(want)-1 {
			kind = "data.updated"
		}
		ids[d.EventID] = true
		if d.SessionID != v.SessionID || d.SessionStatus != want[i] || d.Type != kind || d.Attempt != 1 || d.Status != 200 || d.Problem != "" || d.Resent {
			t.Errorf("delivery %d: %+v", i, d)
		}
	}
	if len(ids) != len(want) {
		t.Errorf("%d event ids, want %d", len(ids), len(want))
	}
}

// Ensure the headers are Didit's, and each signature covers what it should. The expected body was
// written by Python's json.dumps.
func TestWebhook_wire(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	now := newClock()
	r := serve(t, &Server{WebhookURL: h.URL, Now: now.Now})
	v := r.created(`{"workflow_id":"` + workflow + `","vendor_data":"é😀<","metadata":{"b":[92.0,1e-5,1.50,-0.0,1e22,7,null,true],"a":"\u2028\u007f\n&\"\\"}}`)
	r.settle()
	got := h.got()[0]
	fixed := func(nonASCII func(string) string) string {
		return nonASCII(`{"application_id":"00000000-0000-4000-8000-00000000a991","created_at":1772366400,"environment":"live","event_id":"` + r.Deliveries()[0].EventID +
			`","metadata":{"a":"` + "\u2028\x7f" + `\n&\"\\","b":[92,1e-05,1.5,0,10000000000000000000000,7,null,true]},"session_id":"` + v.SessionID +
			`","status":"Not Started","timestamp":1772366400,"vendor_data":"é😀<","webhook_type":"status.updated","workflow_id":"` + workflow + `","workflow_version":1}`)
	}
	escape := strings.NewReplacer("\u2028", `\u2028`, "\x7f", `\u007f`, "é", `\u00e9`, "😀", `\ud83d\ude00`).Replace
	wire, unescaped := fixed(escape), fixed(func(s string) string { return s })
	if got.body != wire {
		t.Errorf("body %s\nwant %s", got.body, wire)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "DiditWebhook/2.0 +https://didit.me", "X-Timestamp": "1772366400",
		"X-Signature":        hexHMAC(DefaultWebhookSecret, wire),
		"X-Signature-V2":     hexHMAC(DefaultWebhookSecret, unescaped),
		"X-Signature-Simple": hexHMAC(DefaultWebhookSecret, "1772366400:"+v.SessionID+":Not Started:status.updated"),
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if text := fmt.Sprintf("%+v", r.Deliveries()); strings.Contains(text, "😀") || strings.Contains(text, DefaultWebhookSecret) || strings.Contains(text, got.header.Get("X-Signature")) {
		t.Errorf("deliveries %s hold what is secret or personal", text)
	}
}

// Ensure each version has its members, and decisions where they belong.
func TestWebhook_versions(t *testing.T) {
	t.Parallel()
	base := []string{"created_at", "session_id", "status", "timestamp"}
	v2 := append([]string{"workflow_id"}, base...)
	v3 := append([]string{"application_id", "environment", "event_id", "metadata", "vendor_data", "webhook_type", "workflow_version"}, v2...)
	for _, tt := range []struct {
		version, status, order string
		want, more             []string
	}{
		{"v1", "In Progress", `{"workflow_id":"` + workflow + `"}`, base, nil},
		{"v1", "Approved", userOrder, base, []string{"vendor_data", "decision"}},
		{"v2", "In Progress", `{"workflow_id":"` + workflow + `"}`, v2, nil},
		{"v2", "Declined", `{"workflow_id":"` + workflow + `","vendor_data":"u","metadata":{}}`, v2, []string{"decision", "metadata", "vendor_data"}},
		{"v3", "In Progress", `{"workflow_id":"` + workflow + `"}`, v3, nil},
		{"v3", "In Review", userOrder, v3, []string{"decision"}},
		{"v3", "Abandoned", userOrder, v3, []string{"decision"}},
		{"v3", "Resubmitted", userOrder, v3, []string{"resubmit_info"}},
		{"v3", "Expired", userOrder, v3, nil},
	} {
		h := newHook(t, 200)
		r := serve(t, &Server{WebhookURL: h.URL, WebhookVersion: tt.version})
		v := r.created(tt.order)
		if err := r.SetStatus(v.SessionID, tt.status); err != nil {
			t.Fatal(err)
		}
		r.settle()
		body := decode[map[string]json.RawMessage](t, h.got()[1].body)
		var names []string
		for name := range body {
			names = append(names, name)
		}
		want := append(slices.Clone(tt.want), tt.more...)
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s %s: members %q\nwant %q", tt.version, tt.status, names, want)
		}
		if decision := body["decision"]; decision != nil {
			features := decode[map[string]any](t, string(decision))["features"]
			if _, text := features.(string); text != (tt.version == "v1") {
				t.Errorf("%s: features %v", tt.version, features)
			}
		}
	}
}

// Ensure a 5xx, a 404 and a lost connection are repeated twice, with the same body, and nothing
// else is.
func TestWebhook_repetition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ answers, want []int }{
		{[]int{200}, []int{200}},
		{[]int{204}, []int{204}},
		{[]int{500, 200}, []int{500, 200}},
		{[]int{404, 503, 200}, []int{404, 503, 200}},
		{[]int{503}, []int{503, 503, 503}},
		{[]int{404, 401, 200}, []int{404, 401}},
		{[]int{400}, []int{400}},
		{[]int{401}, []int{401}},
		{[]int{413}, []int{413}},
		{[]int{429}, []int{429}},
		{[]int{301}, []int{301}},
		{[]int{307}, []int{307}},
	} {
		h := newHook(t, tt.answers...)
		r := serve(t, &Server{WebhookURL: h.URL, RetryWaits: noWait})
		r.created(userOrder)
		r.settle()
		var got []int
		for i, d := range r.Deliveries() {
			got = append(got, d.Status)
			if d.Attempt != i+1 || d.EventID != r.Deliveries()[0].EventID {
				t.Errorf("answers %d: delivery %d: %+v", tt.answers, i, d)
			}
		}
		seen := h.got()
		if !slices.Equal(got, tt.want) || len(seen) != len(tt.want) || seen[0].body != seen[len(seen)-1].body {
			t.Errorf("answers %d: deliveries %d of %d requests, want %d of the same body", tt.answers, got, len(seen), tt.want)
		}
	}
}

// A transport answers in memory, so that time can be a test's own.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// Ensure the times are Didit's: 5 s for an answer, a minute, four minutes.
func TestWebhook_times(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &Server{WebhookURL: "http://backend.example/webhooks/didit"}
		s.WebhookTransport = transport(func(r *http.Request) (*http.Response, error) {
			if n++; n == 2 {
				return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/v2/session/", strings.NewReader(userOrder))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", DefaultAPIKey)
		s.ServeHTTP(w, req)
		if w.Code != 201 || time.Since(start) != 0 {
			t.Errorf("status %d after %v, want 201 at once", w.Code, time.Since(start))
		}
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range s.Deliveries() {
			got = append(got, fmt.Sprint(d.Time.Sub(start), " ", d.Problem))
		}
		want := []string{"0s timeout", "1m5s connection failed", "5m5s timeout"}
		if !slices.Equal(got, want) || time.Since(start) != 5*time.Minute+10*time.Second {
			t.Errorf("deliveries %q, want %q; settled after %v", got, want, time.Since(start))
		}
		s.Close()
	})
}

// Ensure a delivery waits for its answer as long as the knob says.
func TestServer_DeliveryTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{WebhookURL: "http://backend.example/", DeliveryTimeout: time.Minute, RetryWaits: []time.Duration{}}
		s.WebhookTransport = transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		unlock := s.lock()
		s.announce(&session{id: "1"}, statusUpdated, start)
		unlock()
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.Deliveries(); len(got) != 1 || got[0].Problem != "timeout" || time.Since(start) != time.Minute {
			t.Errorf("settled after %v with %+v, want a timeout after a minute", time.Since(start), got)
		}
		s.Close()
	})
}

// Ensure Close waits for nothing that is still to come, and ends what is under way.
func TestWebhook_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Server{WebhookURL: "http://backend.example/"}
		s.WebhookTransport = transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("X-Timestamp") == "" {
				t.Error("no timestamp")
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		unlock := s.lock()
		v := &session{id: "1"}
		s.announce(v, statusUpdated, start)
		s.announce(v, statusUpdated, start)
		unlock()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Settle(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Settle: %v, want %v", err, context.DeadlineExceeded)
		}
		s.Close()
		if took := time.Since(start); took != time.Second || len(s.Deliveries()) != 2 {
			t.Errorf("closed after %v with %+v, want two given up at once", took, s.Deliveries())
		}
		unlock = s.lock()
		s.announce(v, statusUpdated, start)
		unlock()
		if err := s.Settle(t.Context()); err != nil || len(s.Deliveries()) != 2 {
			t.Errorf("after Close: %v, %+v, want nothing sent", err, s.Deliveries())
		}
		if _, err := s.Resend(s.Deliveries()[0].EventID); err == nil {
			t.Error("resent after Close")
		}
	})
}

// Ensure a resend has the id and the time of the event, and a timestamp and signatures of its own.
func TestServer_Resend(t *testing.T) {
	t.Parallel()
	h := newHook(t, 401, 200)
	now := newClock()
	var hooked []Delivery
	r := serve(t, &Server{WebhookURL: h.URL, Now: now.Now, OnDelivery: func(d Delivery) { hooked = append(hooked, d) }})
	v := r.created(userOrder)
	r.settle()
	id := r.Deliveries()[0].EventID
	now.advance(time.Hour)
	if err := r.SetStatus(v.SessionID, "Expired"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	d, err := r.Resend(id)
	if err != nil || d.EventID != id || !d.Resent || d.Attempt != 1 || d.Status != 200 || d.SessionStatus != "Not Started" {
		t.Errorf("resent %+v, %v", d, err)
	}
	type body struct {
		EventID   string `json:"event_id"`
		Status    string
		Created   int64 `json:"created_at"`
		Timestamp int64
	}
	sent := h.got()
	first, again := decode[body](t, sent[0].body), decode[body](t, sent[2].body)
	if want := (body{id, "Not Started", first.Created, first.Timestamp + 3600}); again != want {
		t.Errorf("resent body %+v, want %+v", again, want)
	}
	if got, want := sent[2].header.Get("X-Signature"), hexHMAC(DefaultWebhookSecret, sent[2].body); got != want || sent[2].header.Get("X-Timestamp") != fmt.Sprint(again.Timestamp) {
		t.Errorf("header %v, want signature %s", sent[2].header, want)
	}
	if !slices.Equal(hooked, r.Deliveries()) || len(hooked) != 3 {
		t.Errorf("hook got %+v, want %+v", hooked, r.Deliveries())
	}
	if _, err := r.Resend("none"); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("Resend of none: %v, want %v", err, ErrUnknownEvent)
	}
}

// Ensure the destination can move and its secret be rotated, which repetitions follow.
func TestServer_SetWebhook(t *testing.T) {
	t.Parallel()
	old, h := newHook(t, 200), newHook(t, 404, 200)
	r := serve(t, &Server{RetryWaits: []time.Duration{0, time.Hour}})
	v := r.created(userOrder) // no destination yet
	for _, wrong := range [][2]string{{"ftp://x", ""}, {"/path", ""}, {"http://", ""}, {h.URL, "v4"}} {
		if err := r.SetWebhook(wrong[0], "", wrong[1]); err == nil {
			t.Errorf("SetWebhook(%q, %q) succeeded", wrong[0], wrong[1])
		}
	}
	set := func(destination, secret, version string) {
		t.Helper()
		if err := r.SetWebhook(destination, secret, version); err != nil {
			t.Fatal(err)
		}
	}
	set(old.URL, "first", "v1")
	set(h.URL, "", "v2")
	if err := r.SetStatus(v.SessionID, "Expired"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	set("", "second", "")
	if _, err := r.Resend(r.Deliveries()[0].EventID); err != nil {
		t.Fatal(err)
	}
	got := h.got()
	if len(old.got()) != 0 || len(got) != 3 {
		t.Fatalf("%d and %d deliveries, want 0 and 3", len(old.got()), len(got))
	}
	for i, secret := range []string{"first", "first", "second"} {
		if w := got[i]; w.header.Get("X-Signature") != hexHMAC(secret, w.body) || strings.Contains(w.body, "webhook_type") {
			t.Errorf("delivery %d: header %v, body %s", i, w.header, w.body)
		}
	}
	if d := r.Deliveries()[0]; d.Version != "v2" {
		t.Errorf("delivery %+v, want version v2", d)
	}
}

// Ensure the oldest events and deliveries are forgotten first, by number and by size.
func TestWebhooks_bounds(t *testing.T) {
	t.Parallel()
	s := &Server{}
	for i := range MaxDeliveries + 5 {
		s.recordDelivery(&record{event: &event{to: new(destination)}, Delivery: Delivery{Attempt: i}})
	}
	if got := s.Deliveries(); len(got) != MaxDeliveries || got[0].Attempt != 5 {
		t.Errorf("%d deliveries from %d, want %d from 5", len(got), got[0].Attempt, MaxDeliveries)
	}
	var h recent[*event]
	keep := func(e *event) { h.add(e, MaxDeliveries, maxEventBytes) }
	for range MaxDeliveries + 5 {
		keep(&event{bytes: 1})
	}
	if len(h.items) != MaxDeliveries || h.bytes != MaxDeliveries {
		t.Errorf("%d events of %d bytes", len(h.items), h.bytes)
	}
	keep(&event{bytes: maxEventBytes})
	if len(h.items) != 1 || h.bytes != maxEventBytes {
		t.Errorf("%d events of %d bytes, want the last alone", len(h.items), h.bytes)
	}
}
