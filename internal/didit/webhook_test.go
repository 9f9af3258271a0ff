package didit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// vector is a file of testdata/webhook: a delivery, and what becomes of it. generate.py there
// makes them.
type vector struct {
	About   string            `json:"about"`
	Header  map[string]string `json:"header"`
	Text    string            `json:"body"`
	Bytes   []byte            `json:"body_base64"`
	Now     int64             `json:"now"`
	Secrets struct {
		Current       string `json:"current"`
		Previous      string `json:"previous"`
		PreviousUntil int64  `json:"previous_until"`
	} `json:"secrets"`
	Canonical *string      `json:"canonical"`
	Event     *vectorEvent `json:"event"`
	Error     string       `json:"error"`

	name string
}

// vectorEvent is a [WebhookEvent] as the files have it.
type vectorEvent struct {
	ID          string       `json:"id"`
	Type        string       `json:"type"`
	Ignored     bool         `json:"ignored"`
	SessionID   string       `json:"session_id,omitempty"`
	VendorData  *string      `json:"vendor_data"`
	WorkflowID  *string      `json:"workflow_id"`
	Status      string       `json:"status,omitempty"`
	Checks      [][2]*string `json:"checks,omitempty"`
	OccurredAt  string       `json:"occurred_at,omitempty"`
	Environment *string      `json:"environment"`
}

func newVectorEvent(e WebhookEvent) vectorEvent {
	v := vectorEvent{
		ID: e.ID, Type: e.Type, Ignored: e.Ignored, SessionID: e.SessionID, VendorData: e.VendorData, WorkflowID: e.WorkflowID,
		Status: e.Status, Checks: pairs(e.Checks), Environment: e.Environment,
	}
	if !e.OccurredAt.IsZero() {
		v.OccurredAt = e.OccurredAt.Format(time.RFC3339Nano)
	}
	return v
}

func pairs(checks []Check) (list [][2]*string) {
	for _, c := range checks {
		list = append(list, [2]*string{&c.Feature, c.Status})
	}
	return list
}

func vectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob("testdata/webhook/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d vectors, %v, want some", len(paths), err)
	}
	var list []vector
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(path), ".json")}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if (v.Event == nil) == (v.Error == "") {
			t.Fatalf("%s: got both or neither of event and error", path)
		}
		list = append(list, v)
	}
	return list
}

func (v vector) body() []byte {
	if v.Bytes != nil {
		return v.Bytes
	}
	return []byte(v.Text)
}

func (v vector) header() http.Header {
	h := http.Header{}
	for name, value := range v.Header {
		h.Set(name, value)
	}
	return h
}

func (v vector) secrets() WebhookSecrets {
	s := WebhookSecrets{Current: v.Secrets.Current, Previous: v.Secrets.Previous}
	if v.Secrets.PreviousUntil != 0 {
		s.PreviousUntil = time.Unix(v.Secrets.PreviousUntil, 0)
	}
	return s
}

func (v vector) verifier() *Verifier {
	now := func() time.Time { return time.Unix(v.Now, 0) }
	return &Verifier{Secrets: always(v.secrets()), Now: now}
}

// always is a cache of secrets that never change.
func always(s WebhookSecrets) *WebhookSecretCache {
	return &WebhookSecretCache{Read: func(context.Context) (WebhookSecrets, error) { return s, nil }}
}

func TestVerifier_Verify(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.verifier().Verify(t.Context(), v.header(), v.body())
			if v.Error != "" {
				e, ok := errors.AsType[*WebhookError](err)
				if !ok || string(e.Kind) != v.Error || e.Reason == "" || jsonText(newVectorEvent(got)) != jsonText(vectorEvent{}) {
					t.Errorf("%s: got %s, %v, want nothing but %q", v.About, jsonText(newVectorEvent(got)), err, v.Error)
				}
				return
			}
			if text, want := jsonText(newVectorEvent(got)), jsonText(v.Event); err != nil || text != want {
				t.Errorf("%s:\n got %s, %v\nwant %s", v.About, text, err, want)
			}
		})
	}
}

// Whatever fits Didit's recipe in Python fits ours.
func TestCanonical(t *testing.T) {
	t.Parallel()
	var compared int
	for _, v := range vectors(t) {
		if v.Canonical == nil {
			continue
		}
		compared++
		document, err := parseWebhook(v.body())
		if err != nil || string(canonical(document)) != *v.Canonical {
			t.Errorf("%s:\n got %s, %v\nwant %s", v.name, canonical(document), err, *v.Canonical)
		}
	}
	if compared < 40 {
		t.Errorf("compared %d canonical forms, want most of the vectors", compared)
	}
}

// What is ours to sign is what Didit would: the vectors were signed by other code.
func TestSignWebhook(t *testing.T) {
	t.Parallel()
	var compared int
	for _, v := range vectors(t) {
		plain, v2 := v.Header["X-Signature"], v.Header["X-Signature-V2"]
		if v.Event == nil || plain == "" || v2 == "" || v.Secrets.Previous != "" || strings.HasPrefix(v.name, "rotated") || strings.Contains(v.name, "reencoded") || strings.Contains(v.name, "malformed") {
			continue
		}
		compared++
		gotPlain, gotV2, err := SignWebhook(v.body(), v.Secrets.Current)
		if gotPlain != plain || gotV2 != v2 || err != nil {
			t.Errorf("%s: got %s, %s, %v, want %s, %s", v.name, gotPlain, gotV2, err, plain, v2)
		}
	}
	if compared < 10 {
		t.Errorf("compared %d signatures, want more", compared)
	}
	if plain, v2, err := SignWebhook([]byte("{"), "s"); err == nil || plain != "" || v2 != "" {
		t.Errorf("half a document: got %q, %q, %v, want an error", plain, v2, err)
	}
}

// API Gateway has header names in lower case.
func TestVerifier_Verify_headerCase(t *testing.T) {
	t.Parallel()
	v := find(t, "v3_in_progress")
	h := http.Header{}
	h.Add("x-signature", v.Header["X-Signature"])
	if _, err := v.verifier().Verify(t.Context(), h, v.body()); err != nil {
		t.Errorf("lower-case header: got %v, want none", err)
	}
}

func find(t testing.TB, name string) vector {
	t.Helper()
	all := vectors(t)
	i := slices.IndexFunc(all, func(v vector) bool { return v.name == name })
	if i < 0 {
		t.Fatalf("no vector %s", name)
	}
	return all[i]
}

func TestVerifier_Tolerance(t *testing.T) {
	t.Parallel()
	v := find(t, "v3_in_progress")
	var sent struct{ Timestamp int64 }
	if err := json.Unmarshal(v.body(), &sent); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		tolerance, off time.Duration
		want           bool
	}{
		{time.Minute, time.Minute, true},
		{time.Minute, -time.Minute, true},
		{time.Minute, time.Minute + 999*time.Millisecond, true}, // Didit's time has no fractions
		{time.Minute, time.Minute + time.Second, false},
		{time.Minute, -time.Minute - time.Second, false},
		{time.Hour, time.Hour, true},
		{0, 15 * time.Minute, true},
		{0, 15*time.Minute + time.Second, false},
		{-1, 15 * time.Minute, true},
	} {
		verifier := v.verifier()
		verifier.Tolerance = tt.tolerance
		verifier.Now = func() time.Time { return time.Unix(sent.Timestamp, 0).Add(tt.off) }
		_, err := verifier.Verify(t.Context(), v.header(), v.body())
		if e, _ := errors.AsType[*WebhookError](err); (err == nil) != tt.want || err != nil && e.Kind != WebhookStale {
			t.Errorf("%v within %v: got %v, want accepted %t", tt.off, tt.tolerance, err, tt.want)
		}
	}
}

// The signature comes first: nothing is said about a document that is not signed. The envelope
// comes before freshness.
func TestVerifier_Verify_order(t *testing.T) {
	t.Parallel()
	const secret = "s"
	old := `"timestamp":1`
	for _, tt := range []struct {
		body, signed string
		want         WebhookErrorKind
	}{
		{"{", "other", WebhookMismatch},
		{`{"a":1,"a":2}`, "other", WebhookMismatch},
		{`[]`, "other", WebhookMismatch},
		{`{` + old + `}`, "", WebhookMalformed},
		{`{"webhook_type":7,` + old + `}`, "", WebhookMalformed},
		{`{"webhook_type":"user.status.updated",` + old + `}`, "", ""},
		{`{"session_id":"11111111-2222-3333-4444-555555555555","status":"Approved",` + old + `}`, "", WebhookStale},
	} {
		signed := tt.signed
		if signed == "" {
			signed = tt.body
		}
		h := http.Header{"X-Signature": {hex.EncodeToString(sign([]byte(signed), secret))}}
		_, err := (&Verifier{Secrets: always(WebhookSecrets{Current: secret})}).Verify(t.Context(), h, []byte(tt.body))
		e, _ := errors.AsType[*WebhookError](err)
		if (tt.want == "") != (err == nil) || err != nil && e.Kind != tt.want {
			t.Errorf("%s: got %v, want %v", tt.body, err, tt.want)
		}
	}
}

// Texts of a stranger's length are not kept.
func TestVerifier_Verify_limits(t *testing.T) {
	t.Parallel()
	const secret = "s"
	long := strings.Repeat("é", 500)
	verify := func(body string) WebhookEvent {
		t.Helper()
		plain, _, err := SignWebhook([]byte(body), secret)
		if err != nil {
			t.Fatal(err)
		}
		e, err := (&Verifier{Secrets: always(WebhookSecrets{Current: secret})}).Verify(t.Context(), http.Header{"X-Signature": {plain}}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := verify(`{"webhook_type":"` + long + `","event_id":"` + long + `","timestamp":1}`)
	if e.Type != long[:2*maxWord] || len(e.ID) != 64 || !e.Ignored {
		t.Errorf("got type of %d bytes, id of %d, ignored %t, want %d, a hash, true", len(e.Type), len(e.ID), e.Ignored, 2*maxWord)
	}
	if other := verify(`{"timestamp":2,"event_id":"` + long + `","webhook_type":"` + long + `"}`); other.ID != e.ID {
		t.Errorf("got ids %s and %s, want the same whatever the timestamp and the order", e.ID, other.ID)
	}
}

// An event without an id has the hash of its document, in which numbers are as Python writes them,
// except for those whose conversion would cost much.
func TestVerifier_Verify_hash(t *testing.T) {
	t.Parallel()
	id := func(number string) string {
		t.Helper()
		body := []byte(`{"webhook_type":"user.status.updated","n":` + number + `}`)
		plain, _, err := SignWebhook(body, "s")
		if err != nil {
			t.Fatal(err)
		}
		e, err := (&Verifier{Secrets: always(WebhookSecrets{Current: "s"})}).Verify(t.Context(), http.Header{"X-Signature": {plain}}, body)
		if err != nil || len(e.ID) != 64 {
			t.Fatal(e.ID, err)
		}
		return e.ID
	}
	if id("1.50") != id("1.5") || id("1e2") != id("100") || id("1.50") == id("1.51") {
		t.Error("got different ids for one number, or one for two")
	}
	if id("1.50e-40") == id("1.5e-40") || id("5e-324") == id("5.0e-324") {
		t.Error("got a number converted whose conversion costs much")
	}
}

// Before the sender is known, a document is read up to its limits, and after that without them.
func TestVerifier_Verify_unsignedLimits(t *testing.T) {
	t.Parallel()
	const secret, envelope = "s", 2 // values of the delivery without the list
	list := func(value string, n int) string { return strings.TrimSuffix(strings.Repeat(value+",", n), ",") }
	for _, tt := range []struct {
		name, list string
		byV2       bool
	}{
		{"20,000 values", list("0", maxUnsignedValues-envelope-2), true},
		{"20,001 values", list("0", maxUnsignedValues-envelope-1), false},
		{"60,000 values", list(`{"a":["b"]}`, 20_000), false},
		{"500,000 values", list("0", 500_000), false},
		{"2,000 long floats", list("0.98765432109876543", maxLongFloats), true},
		{"2,001 long floats", list("0.98765432109876543", maxLongFloats+1), false},
		{"10,000 escapes", `"` + strings.Repeat(`\n`, maxUnsignedEscapes) + `"`, true},
		{"10,001 escapes", `"` + strings.Repeat(`\n`, maxUnsignedEscapes+1) + `"`, false},
		{"10,000 escapes in names", list(`{"\"\u00e9":0}`, maxUnsignedEscapes/2), true},
		{"10,002 escapes in names", list(`{"\"\u00e9":0}`, maxUnsignedEscapes/2+1), false},
		{"many short floats", list("89.9200000000001", 5*maxLongFloats), true},
		{"many long integers", list("118120836164494131264123456789012345678", maxLongFloats+1), true},
	} {
		body := []byte(`{"webhook_type":"user.status.updated","event_id":"e","list":[` + tt.list + `]}`)
		plain, v2, err := SignWebhook(body, secret)
		if err != nil || len(body) > MaxWebhookBytes {
			t.Fatal(tt.name, len(body), err)
		}
		verifier := &Verifier{Secrets: always(WebhookSecrets{Current: secret})}
		for name, signature := range map[string]string{"X-Signature": plain, "X-Signature-Previous": plain, "X-Signature-V2": v2, "X-Signature-V2-Previous": v2} {
			e, err := verifier.Verify(t.Context(), http.Header{http.CanonicalHeaderKey(name): {signature}}, body)
			if want := tt.byV2 || !strings.Contains(name, "V2"); (err == nil) != want || !want && !isMismatch(err) || want && e.ID != "e" {
				t.Errorf("%s under %s: got %v, want accepted %t", tt.name, name, err, want)
			}
		}
	}
}

// BenchmarkVerify verifies a delivery of the size of Didit's largest.
func BenchmarkVerify(b *testing.B) {
	v := find(b, "v3_approved")
	var body map[string]any
	if err := json.Unmarshal(v.body(), &body); err != nil {
		b.Fatal(err)
	}
	body["padding"] = strings.Split(strings.Repeat("a field of a document,", 40<<10/24), ",")
	text := []byte(jsonText(body))
	plain, v2, err := SignWebhook(text, v.Secrets.Current)
	if err != nil {
		b.Fatal(err)
	}
	for name, h := range map[string]http.Header{"X-Signature": {"X-Signature": {plain}}, "X-Signature-V2": {"X-Signature-V2": {v2}}} {
		b.Run(name, func(b *testing.B) {
			verifier := v.verifier()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(b.Context(), h, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseWebhook reads a delivery of 9 kB.
func BenchmarkParseWebhook(b *testing.B) {
	body := find(b, "v3_approved").body()
	text := []byte("[" + strings.TrimSuffix(strings.Repeat(string(body)+",", 1+(9<<10)/len(body)), ",") + "]")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseWebhook(text); err != nil {
			b.Fatal(err)
		}
	}
}
