package didittest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A managed destination, as the API shows it.
type managed struct {
	UUID      string
	URL       string
	Enabled   bool
	Version   string     `json:"webhook_version"`
	Events    []string   `json:"subscribed_events"`
	Secret    string     `json:"secret_shared_key"`
	Last4     string     `json:"secret_last4"`
	Previous  *time.Time `json:"previous_secret_expires_at"`
	Count     int        `json:"deliveries_count"`
	Failed    int        `json:"failed_deliveries_count"`
	ErrorRate int        `json:"error_rate_percentage"`
	Last      *time.Time `json:"last_delivery_at"`
}

const destinations = "/v3/webhook/destinations/"

func (r *rig) destinations() []managed {
	r.t.Helper()
	return decode[[]managed](r.t, r.manage(DefaultAPIKey, "GET", destinations, "").body)
}

func (r *rig) addDestination(url, more string) managed {
	r.t.Helper()
	got := r.manage(DefaultAPIKey, "POST", destinations, `{"label":"backend","url":"`+url+`"`+more+`}`)
	if got.status != 201 {
		r.t.Fatalf("create: status %d, body %s", got.status, got.body)
	}
	return decode[managed](r.t, got.body)
}

func TestDestinations_create(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{HideSecrets: true})
	if got := r.manage(DefaultAPIKey, "GET", destinations, "").body; got != "[]" {
		t.Errorf("list %s, want a bare empty array", got)
	}
	first := r.addDestination("https://one.example/hook", "")
	second := r.addDestination("https://two.example/hook", `,"enabled":false,"webhook_version":"v2","subscribed_events":["data.updated","transaction.created"]`)
	if len(first.Secret) != 43 || first.Secret == second.Secret || !first.Enabled || first.Version != "v3" || len(first.Events) != 0 {
		t.Errorf("created %+v, want a secret of its own, enabled, v3, without events", first)
	}
	if second.Enabled || second.Version != "v2" || fmt.Sprint(second.Events) != "[data.updated transaction.created]" {
		t.Errorf("created %+v, want what was sent", second)
	}
	list := r.manage(DefaultAPIKey, "GET", destinations, "").body
	if got := r.destinations(); len(got) != 2 || got[0].UUID != first.UUID || got[1].Last4 != second.Secret[39:] || strings.Contains(list, second.Secret) {
		t.Errorf("list %s, want both, the oldest first, without secrets", list)
	}
	if got := r.manage(DefaultAPIKey, "GET", destinations+first.UUID+"/", ""); strings.Contains(got.body, "secret_shared_key") {
		t.Errorf("one %s, want it without the hidden secret", got.body)
	}
	for body, want := range map[string]string{
		`{"label":"a","url":"https://one.example/hook"}`: `{"url":["This webhook destination already exists for the application."]}`,
		`{}`: `{"label":["This field is required."],"url":["This field is required."]}`,
		`{"label":"a","url":"http://three.example/"}`:                            `{"url":["Webhook URL must be a public HTTPS URL."]}`,
		`{"label":"a","url":"https://three.example/","subscribed_events":[]}`:    `{"subscribed_events":["Select at least one event."]}`,
		`{"label":"a","url":"https://three.example/","subscribed_events":["*"]}`: `{"subscribed_events":["\"*\" is not a valid choice."]}`,
		`{"label":"a","url":"https://three.example/","webhook_version":"v4"}`:    `{"webhook_version":["\"v4\" is not a valid choice."]}`,
		`{"label":"a","url":"https://three.example/","enabled":"yes"}`:           `{"detail":"JSON parse error - `,
	} {
		if got := r.manage(DefaultAPIKey, "POST", destinations, body); got.status != 400 || !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: status %d, body %s, want 400 and %s", body, got.status, got.body, want)
		}
	}
	for i := range MaxDestinations - 2 {
		r.addDestination(fmt.Sprintf("https://more.example/%d", i), "")
	}
	if got := r.manage(DefaultAPIKey, "POST", destinations, `{"label":"a","url":"https://over.example/"}`); got.status != 400 || !strings.Contains(got.body, "at most 10") {
		t.Errorf("over the limit: status %d, body %s, want 400", got.status, got.body)
	}
	if got := r.manage(DefaultAPIKey, "DELETE", destinations+first.UUID+"/", ""); got.status != 204 || len(r.destinations()) != MaxDestinations-1 {
		t.Errorf("delete: status %d, %d left", got.status, len(r.destinations()))
	}
}

func TestDestinations_update(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &Server{WebhookURL: "https://one.example/hook", WebhookSecret: "secret-1", Now: now.Now})
	d := r.destinations()[0]
	path := destinations + d.UUID + "/"
	for body, want := range map[string]int{
		`{"subscribed_events":[]}`: 400, `{"subscribed_events":["nothing"]}`: 400, `{"url":"https://one.example/hook","uuid":"another"}`: 200,
	} {
		if got := r.manage(DefaultAPIKey, "PATCH", path, body); got.status != want {
			t.Errorf("%s: status %d, body %s, want %d", body, got.status, got.body, want)
		}
	}
	changed := decode[managed](t, r.manage(DefaultAPIKey, "PATCH", path, `{"subscribed_events":["transaction.created"],"enabled":false}`).body)
	if fmt.Sprint(changed.Events) != "[transaction.created]" || changed.Enabled || changed.Secret != "secret-1" || changed.UUID != d.UUID {
		t.Errorf("changed %+v, want the events replaced, disabled, the secret as before", changed)
	}
	if err := r.RotateWebhookSecret("secret-2"); err != nil {
		t.Fatal(err)
	}
	rotated := decode[managed](t, r.manage(DefaultAPIKey, "GET", path, "").body)
	if want := now.Now().Add(24 * time.Hour); rotated.Secret != "secret-2" || rotated.Last4 != "et-2" || rotated.Previous == nil || !rotated.Previous.Equal(want) {
		t.Errorf("rotated %+v, want secret-2, and the one before until %v", rotated, want)
	}
}

// Ensure an event goes to every enabled destination that subscribed to it, in the version and with
// the secret of each, under one id.
func TestDestinations_deliveries(t *testing.T) {
	t.Parallel()
	one, two, none, off := newHook(t, 200), newHook(t, 500), newHook(t, 200), newHook(t, 200)
	r := serve(t, &Server{RetryWaits: []time.Duration{}})
	first := r.addDestination(one.URL, `,"subscribed_events":["status.updated","data.updated"]`)
	second := r.addDestination(two.URL, `,"webhook_version":"v2","subscribed_events":["status.updated"]`)
	r.addDestination(none.URL, `,"subscribed_events":["transaction.created"]`)
	r.addDestination(off.URL, `,"enabled":false,"subscribed_events":["status.updated"]`)
	v := r.created(userOrder)
	if err := r.EditData(v.SessionID); err != nil {
		t.Fatal(err)
	}
	r.settle()
	if got := fmt.Sprint(len(one.got()), len(two.got()), len(none.got()), len(off.got())); got != "2 1 0 0" {
		t.Fatalf("deliveries %s, want 2 1 0 0", got)
	}
	for name, tt := range map[string]struct {
		h      *hook
		secret string
		id     bool
	}{"first": {one, first.Secret, true}, "second": {two, second.Secret, false}} {
		w := tt.h.got()[0]
		if w.header.Get("X-Signature") != hexHMAC(tt.secret, w.body) || strings.Contains(w.body, "event_id") != tt.id {
			t.Errorf("%s: not signed with its secret, or of another version: %s", name, w.body)
		}
	}
	list := r.destinations()
	if list[0].Count != 2 || list[0].Failed != 0 || list[1].Count != 1 || list[1].Failed != 1 || list[1].ErrorRate != 100 || list[2].Last != nil || list[0].Last == nil {
		t.Errorf("metrics %+v", list)
	}
	ids := map[string]bool{}
	for _, d := range r.Deliveries() {
		ids[d.EventID] = true
	}
	if len(ids) != 2 {
		t.Errorf("%d event ids, want one for each of two events", len(ids))
	}
}

// A logged delivery, as the API shows it.
type logged struct {
	UUID      string
	SessionID string `json:"session_id"`
	URL       string `json:"request_url"`
	Response  *int   `json:"response_status"`
	Status    string
	Type      string    `json:"webhook_type"`
	Created   time.Time `json:"created_at"`
	Header    string    `json:"request_header"`
	Body      string    `json:"request_body"`
}

func TestRecords(t *testing.T) {
	t.Parallel()
	h, now := newHook(t, 500, 200), newClock()
	r := serve(t, &Server{WebhookURL: h.URL, RetryWaits: []time.Duration{}, Now: now.Now})
	v := r.created(userOrder)
	r.settle()
	now.advance(time.Minute)
	r.Misdeliver(SendNever, 1)
	if err := r.SetStatus(v.SessionID, "Approved"); err != nil {
		t.Fatal(err)
	}
	r.settle()
	of := "/v3/session/" + v.SessionID
	all := decode[[]logged](t, r.manage(DefaultAPIKey, "GET", of+"/webhooks/", "").body)
	if len(all) != 2 || all[0].Response != nil || all[0].Status != "failed" || !strings.Contains(all[0].Body, `"status":"Approved"`) || *all[1].Response != 500 || all[1].URL != h.URL || all[1].SessionID != v.SessionID {
		t.Fatalf("log %+v, want the lost one and then the failed one", all)
	}
	sent := h.got()[0]
	header := decode[map[string]string](t, all[1].Header)
	if all[1].Body != sent.body || header["X-Signature"] != sent.header.Get("X-Signature") || header["X-Timestamp"] == "" {
		t.Errorf("log %+v, want what was sent: %s", all[1], sent.body)
	}
	if got := r.manage(DefaultAPIKey, "POST", of+"/webhook/"+all[1].UUID+"/resend/", ""); got.status != 404 {
		t.Errorf("resend with a slash: status %d, want 404", got.status)
	}
	now.advance(time.Minute)
	again := decode[logged](t, r.manage(DefaultAPIKey, "POST", of+"/webhook/"+all[1].UUID+"/resend", "").body)
	resent := h.got()[1]
	was, is := decode[map[string]json.RawMessage](t, sent.body), decode[map[string]json.RawMessage](t, resent.body)
	if again.UUID == all[1].UUID || *again.Response != 200 || again.Status != "success" || string(was["event_id"]) != string(is["event_id"]) ||
		string(was["timestamp"]) == string(is["timestamp"]) || resent.header.Get("X-Signature") != hexHMAC(DefaultWebhookSecret, resent.body) {
		t.Errorf("resent %+v: %s; want the same event, signed anew", again, resent.body)
	}
	d := r.destinations()[0]
	type page struct {
		Count   int
		Next    *string
		Results []logged
	}
	first := decode[page](t, r.manage(DefaultAPIKey, "GET", destinations+d.UUID+"/deliveries/?limit=2", "").body)
	if first.Count != 3 || len(first.Results) != 2 || first.Results[0].UUID != again.UUID || first.Results[0].Header != "" || first.Next == nil {
		t.Fatalf("page %+v, want the newest two of three, without what was sent", first)
	}
	rest := decode[page](t, r.manage(DefaultAPIKey, "GET", strings.TrimPrefix(*first.Next, r.origin), "").body)
	if len(rest.Results) != 1 || rest.Results[0].UUID != all[1].UUID || rest.Next != nil {
		t.Errorf("page %+v, want the oldest", rest)
	}
	for _, path := range []string{of + "/webhook/", destinations + d.UUID + "/deliveries/"} {
		if got := decode[logged](t, r.manage(DefaultAPIKey, "GET", path+all[1].UUID+"/", "").body); got.Body != sent.body {
			t.Errorf("%s: %+v, want what was sent", path, got)
		}
	}
	if n := r.destinations()[0].Failed; n != 2 {
		t.Errorf("%d failed in 30 days, want 2", n)
	}
	now.advance(31 * 24 * time.Hour)
	if n := r.destinations()[0].Count; n != 0 {
		t.Errorf("%d deliveries in 30 days, want none after 31", n)
	}
}
