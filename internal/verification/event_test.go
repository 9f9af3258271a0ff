package verification

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that an event's JSON is what the contract says, byte for byte, and reads back as the
// event.
func TestDetail(t *testing.T) {
	t.Parallel()
	passed := "Approved"
	at := time.Date(2026, 11, 23, 12, 0, 5, 0, time.UTC)
	sent := at.Add(2 * time.Second)
	for _, test := range []struct {
		name  string
		event Event
		kind  string
		want  string
	}{
		{"least", Event{ID: "e1", SessionID: testSession, Status: "In Review", OccurredAt: at, SentAt: sent}, DetailUnrecordedUpdate,
			`{"event_id":"e1","session_id":"` + testSession + `","vendor_data":null,"workflow_id":null,"status":"In Review","checks":[],` +
				`"occurred_at":"2026-11-23T12:00:05Z","sent_at":"2026-11-23T12:00:07Z","environment":null}`},
		{"most", Event{ID: "e1", Recorded: true, SessionID: testSession, VendorData: "user-123", WorkflowID: workflow, Status: "Approved",
			Checks: []Check{{Feature: "ID_VERIFICATION", Status: &passed}, {Feature: "AML", Status: nil}}, OccurredAt: at, SentAt: sent, Environment: "live"}, DetailStatusUpdated,
			`{"event_id":"e1","session_id":"` + testSession + `","vendor_data":"user-123","workflow_id":"` + workflow + `","status":"Approved",` +
				`"checks":[{"feature":"ID_VERIFICATION","status":"Approved"},{"feature":"AML","status":null}],` +
				`"occurred_at":"2026-11-23T12:00:05Z","sent_at":"2026-11-23T12:00:07Z","environment":"live"}`},
		{"data, nothing escaped that needs no escape", Event{ID: "<&>", Recorded: true, DataUpdated: true, SessionID: testSession, VendorData: `é世🙂 "\` + "\n", Status: "<b>",
			OccurredAt: at, SentAt: sent}, DetailDataUpdated,
			`{"event_id":"<&>","session_id":"` + testSession + `","vendor_data":"é世🙂 \"\\\n","workflow_id":null,"status":"<b>","checks":[],` +
				`"occurred_at":"2026-11-23T12:00:05Z","sent_at":"2026-11-23T12:00:07Z","environment":null}`},
	} {
		if got := test.event.DetailType(); got != test.kind {
			t.Errorf("%s: got detail type %q, want %q", test.name, got, test.kind)
		}
		text, err := EncodeDetail(test.event)
		if err != nil || string(text) != test.want {
			t.Errorf("%s: got %s, error %v\nwant %s", test.name, text, err, test.want)
		}
		if len(test.event.Checks) == 0 {
			test.event.Checks = []Check{} // as it reads back
		}
		got, err := DecodeDetail(test.kind, text)
		if err != nil || !reflect.DeepEqual(got, test.event) {
			t.Errorf("%s: reads back as %v, error %v, want all of %v", test.name, got, err, test.event)
		}
	}
	// An event that is unrecorded says so, whatever it is about.
	if got := (Event{DataUpdated: true}).DetailType(); got != DetailUnrecordedUpdate {
		t.Errorf("unrecorded data: got %q, want %q", got, DetailUnrecordedUpdate)
	}
}

// Ensure that times are published in UTC and in whole seconds, whatever they were.
func TestEncodeDetail_time(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 23, 59, 59, 999999999, time.FixedZone("elsewhere", -2*3600))
	text, err := EncodeDetail(Event{ID: "e1", SessionID: testSession, Status: "Approved", OccurredAt: at, SentAt: at})
	if want := `"occurred_at":"2026-11-24T01:59:59Z","sent_at":"2026-11-24T01:59:59Z"`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("got %s, error %v, want %s", text, err, want)
	}
}

func TestDecodeDetail(t *testing.T) {
	t.Parallel()
	const least = `{"event_id":"e1","session_id":"99999999-2222-3333-4444-55555555555A","status":"Approved","occurred_at":"2026-11-23T13:00:05.9+01:00"}`
	e, err := DecodeDetail(DetailStatusUpdated, []byte(least))
	want := Event{ID: "e1", Recorded: true, SessionID: "99999999-2222-3333-4444-55555555555a", Status: "Approved",
		OccurredAt: noon().Add(5 * time.Second), SentAt: noon().Add(5 * time.Second)} // as before there was sent_at
	if err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("%s: got %v at %v, error %v, want %v at %v", least, e, e.OccurredAt, err, want, want.OccurredAt)
	}
	for _, test := range []struct {
		kind, text string
		fields     []string
	}{
		{DetailStatusUpdated, `{}`, []string{"detail.event_id", "detail.session_id", "detail.status", "detail.occurred_at"}},
		{DetailStatusUpdated, `null`, []string{"detail.event_id", "detail.session_id", "detail.status", "detail.occurred_at"}},
		{DetailStatusUpdated, ``, []string{"detail"}},
		{DetailStatusUpdated, `[]`, []string{"detail"}},
		{DetailStatusUpdated, least + `{}`, []string{"detail"}},
		{DetailStatusUpdated, strings.Replace(least, `"Approved"`, `5`, 1), []string{"detail"}},
		{DetailStatusUpdated, strings.Replace(least, `"e1"`, `""`, 1), []string{"detail.event_id"}},
		{DetailStatusUpdated, strings.Replace(least, `"Approved"`, `null`, 1), []string{"detail.status"}},
		{DetailStatusUpdated, strings.Replace(least, `55A`, `55G`, 1), []string{"detail.session_id"}},
		{DetailStatusUpdated, strings.Replace(least, `2026-11-23T13:00:05.9+01:00`, `1795435205`, 1), []string{"detail.occurred_at"}},
		{DetailStatusUpdated, strings.Replace(least, `T13`, ` 13`, 1), []string{"detail.occurred_at"}},
		{DetailStatusUpdated, strings.Replace(least, `}`, `,"sent_at":"noon"}`, 1), []string{"detail.sent_at"}},
		{"Scheduled Event", least, []string{"detail-type"}},
		{"", `{}`, []string{"detail-type", "detail.event_id", "detail.session_id", "detail.status", "detail.occurred_at"}},
	} {
		e, err := DecodeDetail(test.kind, []byte(test.text))
		failure, ok := errors.AsType[*Error](err)
		if !ok || failure.Code != CodeInvalidRequest || !slices.Equal(pathsOf(failure.Fields), test.fields) || !reflect.DeepEqual(e, Event{}) {
			t.Errorf("%s %s: got %v, error %v %q, want invalid_request of %q", test.kind, test.text, e, err, fieldsOf(err), test.fields)
		}
	}
}

// Ensure that events and records print without what they know of the end user.
func TestEvent_redaction(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	e := Event{ID: "e1", SessionID: testSession, Status: "Approved", VendorData: marker, WorkflowID: marker, Environment: marker,
		Checks: []Check{{Feature: marker}}, OccurredAt: noon()}
	r := Record{SessionID: testSession, Status: "Approved", VendorData: marker, WorkflowID: marker, Checks: []Check{{Feature: marker}}, Seen: []string{marker}}
	for _, value := range []any{e, &e, []Event{e}, map[string]Event{"e": e}, struct{ E Event }{e}, struct{ E *Event }{&e}, r, &r, []Record{r}, struct{ R Record }{r}} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%T as JSON: %v", value, err)
		}
		prints := []string{string(encoded)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			prints = append(prints, fmt.Sprintf(verb, value))
		}
		var text, object bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", value)
		slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", value)
		for i, got := range append(prints, text.String(), object.String()) {
			if strings.Contains(got, marker) || strings.Contains(got, fmt.Sprintf("%x", marker)) {
				t.Errorf("%T, output %d: got %s, want no marker", value, i, got)
			}
		}
	}
	for _, value := range []fmt.Formatter{e, r} {
		if got := fmt.Sprintf("%+v", value); !strings.Contains(got, testSession) || !strings.Contains(got, "Approved") {
			t.Errorf("%T: got %s, want its session and status", value, got)
		}
	}
}
