package didit

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The bodies that Didit documents, and those which others have met.
func TestClient_CreateSession_refusals(t *testing.T) {
	t.Parallel()
	const (
		credits   = "You don't have enough credits to perform this request. Please top up at https://business.didit.me"
		plan      = "You need to have a paid plan to perform this workflow."
		blocked   = "This user or business has been blocked and cannot create new verification sessions."
		noFace    = "No stored face image was found for this user. Send one."
		languages = "Invalid language. Supported languages are: en, es"
	)
	field := func(name, message string) []FieldError { return []FieldError{{hidden{}, name, message}} }
	// Each request sends every field that a case is about, and no other.
	request := SessionRequest{WorkflowID: workflow, Fields: map[string]any{
		"workflow_id": "ignored", "vendor_data": "ignored", "metadata": "m", "callback": "https://app.example.com/", "tags": "t",
		"contact_details": map[string]any{"email": "j"}, "expected_details": []any{map[string]any{"first_name": "f"}},
	}}
	tests := []struct {
		name   string
		status int
		body   string
		want   Error // Op and Status are filled in
	}{
		{"list by field", 400, `{"workflow_id":["This field is required."]}`, Error{Kind: KindInvalidRequest, Fields: field("workflow_id", "This field is required.")}},
		{"text by field", 400, `{"workflow_id":"Invalid workflow_id."}`, Error{Kind: KindInvalidRequest, Fields: field("workflow_id", "Invalid workflow_id.")}},
		{"plan", 400, `{"detail":"` + plan + `"}`, Error{Kind: KindPlanRequired, Detail: plan}},
		{"credits", 400, `{"detail":"` + credits + `"}`, Error{Kind: KindInsufficientCredits, Detail: credits}},
		{"credits, curly apostrophe", 400, `{"detail":"You don’t have Enough Credits."}`, Error{Kind: KindInsufficientCredits, Detail: "You don’t have Enough Credits."}},
		{"blocked", 400, `{"vendor_data":"` + blocked + `"}`, Error{Kind: KindUserBlocked, Fields: field("vendor_data", blocked)}},
		{"blocked, as a list", 400, `{"vendor_data":["` + blocked + `"]}`, Error{Kind: KindUserBlocked, Fields: field("vendor_data", blocked)}},
		{"image size", 400, `{"portrait_image":["Image size exceeds 2MB."]}`, Error{Kind: KindInvalidRequest, Fields: field("portrait_image", "Image size exceeds 2MB.")}},
		{"no face", 400, `{"portrait_image":"` + noFace + `"}`, Error{Kind: KindInvalidRequest, Fields: field("portrait_image", noFace)}},
		{"language", 400, `{"language":["` + languages + `"]}`, Error{Kind: KindInvalidRequest, Fields: field("language", languages)}},
		{"bare list", 400, `["The new status is the same as the current status."]`, Error{Kind: KindInvalidRequest, Detail: "The new status is the same as the current status."}},
		{"bare text", 400, `"No."`, Error{Kind: KindInvalidRequest, Detail: "No."}},
		{"list under detail", 400, `{"detail":["Only finished", "sessions."]}`, Error{Kind: KindInvalidRequest, Detail: "Only finished sessions."}},
		{"error key", 400, `{"error":"` + credits + `"}`, Error{Kind: KindInsufficientCredits, Detail: credits}},
		{"message key", 400, `{"message":"Nope"}`, Error{Kind: KindInvalidRequest, Detail: "Nope"}},
		{"non-field errors", 400, `{"non_field_errors":["Address needs a country."]}`, Error{Kind: KindInvalidRequest, Detail: "Address needs a country."}},
		{
			"nested", 400, `{"expected_details":{"country":["Bad."],"address":"Worse."},"nodes":[{"feature":["\"BOGUS\" is not a valid choice."]}]}`,
			Error{Kind: KindInvalidRequest, Fields: []FieldError{
				{hidden{}, "expected_details.address", "Worse."}, {hidden{}, "expected_details.country", "Bad."}, {hidden{}, "nodes[0].feature", `"BOGUS" is not a valid choice.`},
			}},
		},
		{"a number is no sentence", 400, `{"code":17,"detail":18,"error":{"message":19}}`, Error{Kind: KindInvalidRequest}},
		{"a sentence within an error", 400, `{"error":{"message":"` + plan + `","code":"E1","request":{"detail":"Once more."}}}`,
			Error{Kind: KindPlanRequired, Detail: plan, Fields: []FieldError{{hidden{}, "code", "E1"}, {hidden{}, "request", "Once more."}}}},
		{"a field within detail", 400, `{"detail":{"workflow_id":["Bad."],"non_field_errors":["No."]}}`,
			Error{Kind: KindInvalidRequest, Detail: "No.", Fields: field("workflow_id", "Bad.")}},
		{"a sentence within a field", 400, `{"workflow_id":{"message":"Bad.","code":"E1"}}`,
			Error{Kind: KindInvalidRequest, Fields: []FieldError{{hidden{}, "workflow_id.code", "E1"}, {hidden{}, "workflow_id", "Bad."}}}},
		{"objects in a bare list", 400, `[{"detail":"No."},{"callback":["Bad."]},["Never."]]`,
			Error{Kind: KindInvalidRequest, Detail: "No. Never.", Fields: field("callback", "Bad.")}},
		{"a member without a name", 400, `{"":"Hidden.","\u0000":{"x":"Hidden."},"detail":"No."}`, Error{Kind: KindInvalidRequest, Detail: "No.", Fields: nil}},
		{"empty object", 400, `{}`, Error{Kind: KindInvalidRequest}},
		{"echoed metadata decides nothing", 400, `{"metadata":["has been blocked: paid plan"]}`, Error{Kind: KindInvalidRequest, Fields: field("metadata", "has been blocked: paid plan")}},
		{"nothing quoted decides", 400, `{"metadata":{"a":["has been blocked"]},"callback":["paid plan"],"contact_details":{"email":"not enough credits"},"expected_details":[{"first_name":"paid plan"}]}`,
			Error{Kind: KindInvalidRequest, Fields: []FieldError{{hidden{}, "callback", "paid plan"}, {hidden{}, "contact_details.email", "not enough credits"},
				{hidden{}, "expected_details[0].first_name", "paid plan"}, {hidden{}, "metadata.a", "has been blocked"}}}},
		{"an extra field decides nothing", 400, `{"tags":["\"paid plan\" is not a valid choice."]}`, Error{Kind: KindInvalidRequest, Fields: field("tags", `"paid plan" is not a valid choice.`)}},
		{"its items decide nothing", 400, `{"detail":{"tags":[{"x":"has been blocked"}]}}`, Error{Kind: KindInvalidRequest, Fields: field("tags[0].x", "has been blocked")}},
		{"nor do they elsewhere", 400, `{"errors":{"tags":["has been blocked"]}}`, Error{Kind: KindInvalidRequest, Fields: field("errors.tags", "has been blocked")}},
		{"403, an extra field", 403, `{"tags":["\"credits\" is not a valid choice."]}`, Error{Kind: KindCredentialsRejected}},
		{"a field that was not sent", 400, `{"organization":["` + plan + `"],"tags":["Bad."]}`,
			Error{Kind: KindPlanRequired, Fields: []FieldError{{hidden{}, "organization", plan}, {hidden{}, "tags", "Bad."}}}},
		{"the workflow", 400, `{"workflow_id":["` + plan + `"]}`, Error{Kind: KindPlanRequired, Fields: field("workflow_id", plan)}},
		{"402", 402, `{"detail":"` + credits + `"}`, Error{Kind: KindInsufficientCredits, Detail: credits}},
		{"422", 422, `{"workflow_id":"Invalid workflow_id."}`, Error{Kind: KindInvalidRequest, Fields: field("workflow_id", "Invalid workflow_id.")}},
		{"a number beyond floats", 400, `{"detail":"No.","n":1e999}`, Error{Kind: KindInvalidRequest, Detail: "No."}},
		{"400 HTML", 400, `<html>has been blocked</html>`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"422 empty", 422, ``, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400 half", 400, `{"workflow_id":["This fi`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400 in words", 400, `400 Bad Request`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400, a number", 400, `502`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400, null", 400, `null`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"402, a boolean", 402, ` true`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400, JSON and a page", 400, `{"detail":"No."}<html>`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"422, two documents", 422, `{"detail":"` + plan + `"} {}`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400, a string and more", 400, `"No." again`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"403 credits and a page", 403, `{"error":"` + credits + `"}<html>`, Error{Kind: KindCredentialsRejected}},
		{"white space around", 400, "\n {\"detail\":\"No.\"} \r\n\t", Error{Kind: KindInvalidRequest, Detail: "No."}},
		{"empty list", 400, `[]`, Error{Kind: KindInvalidRequest}},
		{"400 of 3 MB", 400, `{"detail":"` + strings.Repeat("x", 3<<20) + `"}`, Error{Kind: KindUnavailable, Reason: "refused without a readable reason"}},
		{"400 of 1 MiB", 400, `{"pad":"` + strings.Repeat(" ", 1<<20) + `","detail":"` + plan + `"}`, Error{Kind: KindPlanRequired, Detail: plan}},
		{"401", 401, `{"detail":"Invalid or missing API key"}`, Error{Kind: KindCredentialsRejected}},
		{"401 component", 401, `{"detail":"Invalid API Key."}`, Error{Kind: KindCredentialsRejected}},
		{"401 empty", 401, ``, Error{Kind: KindCredentialsRejected}},
		{"403", 403, `{"detail":"You do not have permission to perform this action."}`, Error{Kind: KindCredentialsRejected}},
		{"403 HTML", 403, `<html></html>`, Error{Kind: KindCredentialsRejected}},
		{"403 of 3 MB", 403, strings.Repeat("x", 3<<20), Error{Kind: KindCredentialsRejected}},
		{"403 credits", 403, `{"error":"` + credits + `"}`, Error{Kind: KindInsufficientCredits, Detail: credits}},
		{"403 blocked", 403, `{"detail":"` + blocked + `"}`, Error{Kind: KindUserBlocked, Detail: blocked}},
		{"403 plan is still a refusal", 403, `{"detail":"` + plan + `"}`, Error{Kind: KindCredentialsRejected}},
		{"404", 404, `{"detail":"Not found."}`, Error{Kind: KindUnexpected}},
		{"405", 405, `{"detail":"Method \"POST\" not allowed."}`, Error{Kind: KindUnexpected}},
		{"409", 409, `{"detail":"Conflict"}`, Error{Kind: KindUnexpected}},
		{"429", 429, `{"detail":"Session creation rate limit exceeded. You can make up to 600 requests per minute."}`, Error{Kind: KindThrottled}},
		{"429 quota", 429, `{"detail":"Sandbox session quota exceeded (500 sessions per 24h)."}`, Error{Kind: KindThrottled}},
		{"429 HTML", 429, `<html></html>`, Error{Kind: KindThrottled}},
		{"500", 500, `{"detail":"has been blocked"}`, Error{Kind: KindUnavailable}},
		{"502 HTML", 502, `<html></html>`, Error{Kind: KindUnavailable}},
		{"503 of 3 MB", 503, strings.Repeat("x", 3<<20), Error{Kind: KindUnavailable}},
		{"301", 301, ``, Error{Kind: KindUnexpected}},
		{"307", 307, ``, Error{Kind: KindUnexpected}},
		{"304", 304, ``, Error{Kind: KindUnexpected}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The redirect leads to where a success would be.
			fake := newFake(t, nil, sequence(
				reply(tt.status, tt.body, "Location", prefix+"/v2/session/"),
				reply(tt.status, tt.body, "Location", prefix+"/v2/session/"), reply(201, okSession)))
			_, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), request)
			input := tt.body[:min(len(tt.body), 80)]
			got := failure(t, input, err)
			want := tt.want
			want.Op, want.Status = "create_session", tt.status
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("%d %s:\ngot  %s\nwant %s", tt.status, input, content(got), content(&want))
			}
			wantPosts := 1
			if want.Kind == KindCredentialsRejected {
				wantPosts = 2
			}
			if _, posts := fake.counts(); posts != wantPosts {
				t.Errorf("%d %s: got %d POSTs, want %d", tt.status, input, posts, wantPosts)
			}
		})
	}
}

// content prints what an error's own Format hides.
func content(e *Error) string {
	return fmt.Sprintf("%v, detail %q, fields %q, retry after %v", e, e.Detail, e.Fields, e.RetryAfter)
}

// Where the connection breaks in the middle of an answer, the status still says what it can.
func TestClient_CreateSession_cutRefusals(t *testing.T) {
	t.Parallel()
	const body = `{"detail":"You need to have a paid plan to perform this workflow."}`
	for status, want := range map[int]Kind{
		400: KindUnavailable, 422: KindUnavailable, 401: KindCredentialsRejected, 403: KindCredentialsRejected,
		404: KindUnexpected, 429: KindThrottled, 500: KindUnavailable, 201: KindUnavailable,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, nil, cut(status, body))
			_, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), nameless)
			if got := failure(t, status, err); got.Kind != want || got.Detail != "" {
				t.Errorf("%d, cut off: got %s, want %v", status, content(got), want)
			}
		})
	}
}

func TestClient_CreateSession_retryAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		header string
		want   time.Duration
	}{
		{429, "42", 42 * time.Second},
		{429, "Mon, 23 Nov 2026 09:00:30 GMT", 30 * time.Second}, // the clock says 09:00
		{429, "Mon, 23 Nov 2026 08:59:00 GMT", 0},
		{429, "", 0},
		{429, "soon", 0},
		{500, "7", 7 * time.Second},
		{503, "0", 0},
		{400, "7", 0}, // no advice is due on a refusal
		{404, "7", 0},
		{403, "7", 0},
	} {
		fake := newFake(t, nil, reply(tt.status, `{"detail":"x"}`, "Retry-After", tt.header))
		_, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), nameless)
		if got := failure(t, tt, err); got.RetryAfter != tt.want {
			t.Errorf("%d, Retry-After %q: got %v, want %v", tt.status, tt.header, got.RetryAfter, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1": time.Second, " 30 ": 30 * time.Second, "3600": time.Hour, "604800": 7 * 24 * time.Hour,
		"0": 0, "-5": 0, "604801": 0, "99999999999999999999": 0, "1.5": 0, "1e3": 0, "soon": 0, "": 0, "30s": 0,
		"Mon, 23 Nov 2026 10:00:00 GMT": time.Hour, "Monday, 23-Nov-26 10:00:00 GMT": time.Hour,
		"Mon, 23 Nov 2026 09:00:00 GMT": 0, "Mon, 23 Nov 2020 09:00:00 GMT": 0, "Mon, 23 Nov 2099 09:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, clockStart); got != want {
			t.Errorf("Retry-After %q: got %v, want %v", text, got, want)
		}
	}
	if got := retryAfter(nil, clockStart); got != 0 {
		t.Errorf("no header: got %v, want 0", got)
	}
}

// Whatever an answer says, what is kept of it is small and on one line.
func TestReadRefusal_limits(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 80 {
		many = append(many, fmt.Sprintf(`"field%02d":["Bad."]`, i))
	}
	if got := readRefusal([]byte("{" + strings.Join(many, ",") + "}")); len(got.fields) != 50 || got.fields[49].Field != "field49" {
		t.Errorf("80 fields: got %d, want the first 50", len(got.fields))
	}
	long := readRefusal([]byte(`{"detail":"` + strings.Repeat("é", 600) + `","f":"` + strings.Repeat("😀", 600) + `"}`))
	if want := strings.Repeat("é", 500); long.detail != want {
		t.Errorf("600 letters under detail: got %d bytes, want %d", len(long.detail), len(want))
	}
	if want := strings.Repeat("😀", 500); len(long.fields) != 1 || long.fields[0].Message != want {
		t.Errorf("600 emoji under a field: got %d fields, want one of 500 characters", len(long.fields))
	}
	if got, want := readRefusal([]byte(`{"detail":" a\r\nb\u0000\u009bc\t"}`)).detail, "a  b  c"; got != want {
		t.Errorf("control characters: got %q, want %q", got, want)
	}
	deep := strings.Repeat(`{"a":`, 40) + `"x"` + strings.Repeat(`}`, 40)
	if got := readRefusal([]byte(deep)); !got.readable || len(got.fields) != 0 {
		t.Errorf("%s: got %q, want a readable body without fields", deep, got.fields)
	}
}
