package awsfake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
)

func startBus(t *testing.T) *awsfake.EventBridge {
	t.Helper()
	bus := &awsfake.EventBridge{}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bus
}

// put is a PutEvents request with the entries, JSON objects.
func put(bus *awsfake.EventBridge, entries ...string) call {
	return call{url: bus.URL(), target: "AWSEvents.PutEvents", contentType: "application/x-amz-json-1.1", service: "events",
		body: `{"Entries":[` + strings.Join(entries, ",") + `]}`}
}

const goodEntry = `{"Source":"didit.sessions","DetailType":"Status","Detail":"{\"vendor_data\":\"` + marker + `\"}","EventBusName":"didit"}`

func TestEventBridge_PutEvents(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	begin := time.Now()
	got := put(bus, goodEntry, `{"Source":"a","DetailType":"b","Detail":"{}"}`).want(t, "good", 200, "")
	var answer struct {
		FailedEntryCount *int
		Entries          []struct{ EventID string }
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.FailedEntryCount == nil || *answer.FailedEntryCount != 0 || len(answer.Entries) != 2 {
		t.Fatalf("got %s, error %v, want two entries and no failure", got.body, err)
	}
	events := bus.Events()
	if len(events) != 2 || bus.Calls("") != 1 {
		t.Fatalf("got %d events of %d calls, want two of one", len(events), bus.Calls(""))
	}
	first, second := events[0], events[1]
	if first.ID != answer.Entries[0].EventID || first.Bus != "didit" || first.Source != "didit.sessions" || first.DetailType != "Status" ||
		string(first.Detail) != `{"vendor_data":"`+marker+`"}` || first.Time.Before(begin.Truncate(time.Second)) || first.Time.After(time.Now()) {
		t.Errorf("got %#v of %s on %s at %v, want the entry, now", first, first.Source, first.Bus, first.Time)
	}
	var payload map[string]any
	if err := json.Unmarshal(second.Payload(), &payload); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"version": "0", "id": second.ID, "detail-type": "b", "source": "a", "account": awsfake.Account,
		"time": second.Time.Format("2006-01-02T15:04:05Z"), "region": awsfake.Region, "resources": []any{}, "detail": map[string]any{}}
	if fmt.Sprint(payload) != fmt.Sprint(want) || second.Bus != "default" {
		t.Errorf("got %v on %s, want %v on default", payload, second.Bus, want)
	}
	wantRedacted(t, bus)
	wantRedacted(t, events)
}

func TestEventBridge_refuses(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	put(bus, goodEntry).wantProtocolErrors(t)
	entry := func(detail int) string {
		return fmt.Sprintf(`{"Source":"a","DetailType":"b","Detail":"{\"a\":\"%s\"}"}`, strings.Repeat("x", detail-8))
	}
	for name, test := range map[string]struct {
		entries []string
		invalid bool
	}{
		"none":               {nil, true},
		"too many":           {strings.Split(strings.Repeat(goodEntry+"\n", 10)+goodEntry, "\n"), true},
		"most":               {strings.Split(strings.TrimSpace(strings.Repeat(goodEntry+"\n", 10)), "\n"), false},
		"too large":          {[]string{entry(256<<10 - 1)}, true},
		"too large in sum":   {[]string{entry(128 << 10), entry(128 << 10)}, true},
		"largest":            {[]string{entry(256<<10 - 2)}, false},
		"bus without a name": {[]string{`{"Source":"a","DetailType":"b","Detail":"{}","EventBusName":""}`}, true},
	} {
		if test.invalid {
			put(bus, test.entries...).want(t, name, 400, "ValidationException")
		} else {
			put(bus, test.entries...).want(t, name, 200, "")
		}
	}
	if got := len(bus.Events()); got != 11 {
		t.Errorf("got %d events, want 11", got)
	}
}

// Ensure that an entry that fails is reported, and keeps no other from being taken.
func TestEventBridge_entries(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	for name, test := range map[string]struct{ entry, code string }{
		"no source":      {`{"DetailType":"b","Detail":"{}"}`, "InvalidArgument"},
		"empty source":   {`{"Source":"","DetailType":"b","Detail":"{}"}`, "InvalidArgument"},
		"no detail type": {`{"Source":"a","Detail":"{}"}`, "InvalidArgument"},
		"no detail":      {`{"Source":"a","DetailType":"b"}`, "InvalidArgument"},
		"long type":      {`{"Source":"a","DetailType":"` + strings.Repeat("b", 129) + `","Detail":"{}"}`, "InvalidArgument"},
		"not JSON":       {`{"Source":"a","DetailType":"b","Detail":"{"}`, "MalformedDetail"},
		"not an object":  {`{"Source":"a","DetailType":"b","Detail":"[]"}`, "MalformedDetail"},
		"null":           {`{"Source":"a","DetailType":"b","Detail":"null"}`, "MalformedDetail"},
		"of a service":   {`{"Source":"aws.s3","DetailType":"b","Detail":"{}"}`, "NotAuthorizedForSourceException"},
	} {
		before := len(bus.Events())
		got := put(bus, test.entry, goodEntry).want(t, name, 200, "")
		if !strings.Contains(got.body, `"FailedEntryCount":1`) || !strings.Contains(got.body, `"Entries":[{"ErrorCode":"`+test.code+`"`) || len(bus.Events()) != before+1 {
			t.Errorf("%s: got %s, want %s and the other entry taken", name, got.body, test.code)
		}
	}
}

func TestEventBridge_faults(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	good := put(bus, goodEntry)
	for fault, want := range map[awsfake.Fault]struct {
		status    int
		errorType string
	}{
		awsfake.Throttled:     {400, "ThrottlingException"},
		awsfake.AccessDenied:  {400, "AccessDeniedException"},
		awsfake.NotFound:      {400, "ResourceNotFoundException"},
		awsfake.InternalError: {500, "InternalException"},
	} {
		bus.Fail(fault, 1)
		good.want(t, want.errorType, want.status, want.errorType)
	}
	for fault, code := range map[awsfake.Fault]string{
		awsfake.EntryFailed: "InternalFailure", awsfake.EntryThrottled: "ThrottlingException", awsfake.EntryDenied: "NotAuthorizedForSourceException",
	} {
		bus.Fail(fault, 1)
		if got := good.want(t, code, 200, ""); !strings.Contains(got.body, `"FailedEntryCount":1`) || !strings.Contains(got.body, code) {
			t.Errorf("%s: got %s, want a failed entry", code, got.body)
		}
	}
	good.wantDisconnected(t, func() int { return bus.Calls("") }, func(silence bool) {
		if silence {
			bus.Fail(awsfake.Silence, awsfake.UntilCleared)
		} else {
			bus.Fail(awsfake.Reset, 1)
		}
	})
	if got := len(bus.Events()); got != 0 {
		t.Errorf("got %d events, want none", got)
	}
	bus.ClearFaults()
	good.want(t, "after ClearFaults", 200, "")
}
