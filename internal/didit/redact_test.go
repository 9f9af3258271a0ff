package didit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// Whatever prints a value that holds a secret or personal data, the planted marker stays in.
func TestRedaction(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	raw := json.RawMessage(`{"a":"` + marker + `"}`)
	creds := Credentials{ClientID: marker, ClientSecret: marker, APIKey: marker}
	token := accessToken{value: marker}
	request := SessionRequest{WorkflowID: marker, VendorData: marker, Fields: map[string]any{marker: marker, "metadata": raw}}
	session := Session{
		ID: "11111111-2222-3333-4444-555555555555", Status: "Not Started", Token: marker, URL: marker, VendorData: ptr(marker),
		Metadata: raw, WorkflowID: marker, Callback: ptr(marker), Kind: ptr(marker),
	}
	failure := Error{Kind: KindInvalidRequest, Op: "create_session", Status: 400, Detail: marker, Fields: []FieldError{{Field: marker, Message: marker}}}
	secrets := &CredentialCache{cache: cache[Credentials]{value: creds}}
	tokens := &TokenCache{token: token, owner: creds, requestsOwner: creds}
	webhookSecrets := WebhookSecrets{Current: marker, Previous: marker}
	event := WebhookEvent{ID: "e", Type: TypeStatusUpdated, SessionID: "i", Status: "Approved", VendorData: ptr(marker)}
	decision := Decision{SessionID: "i", Status: "Approved", VendorData: ptr(marker), Raw: raw}
	document, err := parseWebhook(raw)
	if err != nil {
		t.Fatal(err)
	}
	const failed = "didit: create_session: invalid_request (status 400)"
	values := []struct {
		value any
		want  string // in %v, where it matters
	}{
		{creds, redacted},
		{&creds, redacted},
		{token, redacted},
		{request, redacted},
		{&request, redacted},
		{session, "session 11111111-2222-3333-4444-555555555555 (Not Started)"},
		{&session, "session 11111111-2222-3333-4444-555555555555 (Not Started)"},
		{&failure, failed},
		{failure, failed},
		{error(&failure), failed},
		{fmt.Errorf("wrapped: %w", &failure), "wrapped: " + failed},
		{failure.Fields[0], redacted},
		{&failure.Fields[0], redacted},
		{failure.Fields, "[" + redacted + "]"},
		{answer{op: opCreateSession, body: []byte(marker), header: http.Header{marker: {marker}}}, redacted},
		{refusal{detail: marker, fields: failure.Fields}, redacted},
		{webhookSecrets, redacted},
		{&webhookSecrets, redacted},
		{&WebhookSecretCache{cache: cache[WebhookSecrets]{value: webhookSecrets}}, redacted},
		{&Verifier{Secrets: &WebhookSecretCache{cache: cache[WebhookSecrets]{value: webhookSecrets}}}, ""},
		{event, "event e status.updated session i (Approved)"},
		{&event, "event e status.updated session i (Approved)"},
		{decision, "decision of session i (Approved)"},
		{&decision, "decision of session i (Approved)"},
		{document, ""},
		{sortedMembers(document), "[" + redacted + "]"},
		{newDelivery(http.Header{}, raw), redacted},
		{secrets, redacted},
		{tokens, redacted},
		{&Client{Credentials: secrets, Tokens: tokens}, ""},
		{authorization{creds: creds, token: marker}, redacted},
		{[]any{creds, token, request, session, failure}, ""},
		{struct {
			C Credentials
			S *Session
			E Error
		}{creds, &session, failure}, ""},
		{map[string]any{"c": creds, "s": session, "e": &failure}, ""},
		{[]any{webhookSecrets, event, decision}, ""},
	}
	for _, v := range values {
		kind := fmt.Sprintf("%T", v.value)
		prints := map[string]string{"json": jsonText(v.value)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			prints[verb] = fmt.Sprintf(verb, v.value)
		}
		var text, object bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v.value, slog.Group("g", "v", v.value))
		slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", v.value, slog.Group("g", "v", v.value))
		prints["slog text"], prints["slog JSON"] = text.String(), object.String()
		hex := fmt.Sprintf("%x", marker)
		for how, got := range prints {
			if strings.Contains(got, marker) || strings.Contains(got, hex) {
				t.Errorf("%s by %s: got the planted marker in %s", kind, how, got)
			}
		}
		if v.want != "" && prints["%v"] != v.want {
			t.Errorf("%s by %%v: got %q, want %q", kind, prints["%v"], v.want)
		}
		if !json.Valid(object.Bytes()) {
			t.Errorf("%s by slog: got %s, want valid JSON", kind, object.Bytes())
		}
	}
}

// What may be logged of a session and of a failure is there.
func TestRedaction_whatStays(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "session", Session{ID: "i", Status: "In Review"}, "error", &Error{Kind: KindThrottled, Op: "token", Status: 429})
	for _, want := range []string{`"session":{"session_id":"i","status":"In Review"}`, `"error":"didit: token: throttled (status 429)"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want %s in it", out.String(), want)
		}
	}
}

// The text of an error has none of the words that Didit, the network or the store spoke.
func TestError_text(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	for _, handler := range []struct {
		status int
		body   string
	}{
		{400, `{"` + marker + `":"` + marker + `","detail":"` + marker + `"}`}, {400, marker}, {401, marker}, {403, `{"detail":"enough credits ` + marker + `"}`},
		{404, marker}, {429, marker}, {500, marker}, {301, marker}, {201, `{"session_token":"` + marker + `","url":"` + marker + `"}`},
	} {
		fake := newFake(t, nil, reply(handler.status, handler.body, "Location", marker, "Retry-After", marker))
		var seen attempts
		client := fake.client(t, fixed(`{"api_key":"`+marker+`"}`), new(clock))
		client.Observe = seen.observe
		_, err := client.CreateSession(t.Context(), SessionRequest{WorkflowID: marker, VendorData: marker})
		if got := failure(t, handler, err); strings.Contains(got.Error(), marker) || strings.Contains(fmt.Sprintf("%+v %+v", err, seen.all()), marker) {
			t.Errorf("%d %s: got %v, attempts %+v, want neither to quote the answer", handler.status, handler.body, err, seen.all())
		}
	}
}
