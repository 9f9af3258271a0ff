package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

const (
	maxBody   = 4 << 20
	maxMemory = 64 << 20               // peak of the process, whatever is in a body
	maxCPU    = 300 * time.Millisecond // of one call; looked at with COST_TESTS=1 only
)

// Ensure that no body takes more than 64 MiB of memory, wherever its costly part stands and by
// whichever door it comes, and that each one is answered. One process gets them all, so that each
// meets what the one before left behind. COST_TESTS=1 tries every shape in every place by every
// door, and looks at the time, too.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{Env: map[string]string{
		"EXTRA_FIELDS": "newest", "USER_FIELDS": "metadata,newest,contact_details,expected_details,portrait_image"}})
	places := []string{
		`{"metadata":%s}`, `{"newest":%s}`, `%s`, `{"nonsense":%s}`, `{"newest":0,"metadata":%s}`, `{"portrait_image":%s}`, `{"contact_details":%s}`,
		`{"contact_details":{"email":%s}}`, `{"expected_details":{"expected_document_types":%s}}`, `{"expected_details":{"nonsense":%s}}`, `{"vendor_data":%s}`,
		// Names of API Gateway's payload.
		`{"headers":%s}`, `{"cookies":%s}`, `{"requestContext":{"authorizer":%s}}`, `{"version":"2.0","pathParameters":%s}`,
	}
	all := stagetest.MeasuresCosts()
	texts := stagetest.CostlyJSON(maxBody - 64)
	for i, name := range slices.Sorted(maps.Keys(texts)) {
		for j, place := range places {
			// The first two places are those in which most may stand; the others take turns, as
			// doors do.
			if !all && j > 1 && (i+j)%5 > 0 {
				continue
			}
			body := fmt.Sprintf(place, texts[name])
			for k, door := range []string{"HTTP", "HTTP, base64", "direct"} {
				if all || (i+j)%3 == k {
					wantBounded(t, w, fmt.Sprintf("%s: %s in %s", door, name, place), payloadOf(t, door, body), all)
				}
			}
		}
	}
}

// payloadOf returns the payload by which a body comes.
func payloadOf(t *testing.T, door, body string) []byte {
	t.Helper()
	if door == "direct" {
		return []byte(body)
	}
	return stagetest.Edit(t, event(t, "http-minimal"), func(e map[string]any) {
		e["body"] = body
		if door == "HTTP, base64" || !utf8.ValidString(body) {
			e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(body)), true
		}
	})
}

func wantBounded(t *testing.T, w *world, what string, payload []byte, timed bool) {
	t.Helper()
	if len(payload) > lambdatest.MaxPayload {
		return // so many quotes need base64
	}
	before := w.Usage()
	r := w.Call(t, payload)
	after := w.Usage()
	if a, err := r.HTTP(); r.Failed() && r.ErrorType != "InvalidRequest" || !r.Failed() && err == nil && a.Status >= 500 {
		t.Errorf("%s: got %q, status %d, want no more than a refusal", what, r.ErrorType, a.Status)
	}
	if after.PeakMemory > stagetest.MaxMemory(maxMemory) {
		t.Fatalf("%s: got a peak of %d KiB, want at most %d", what, after.PeakMemory>>10, stagetest.MaxMemory(maxMemory)>>10)
	}
	took := after.UserCPU + after.SystemCPU - before.UserCPU - before.SystemCPU
	for again := 0; timed && again < 3 && took > maxCPU; again++ { // whatever else the machine does makes it longer
		before = w.Usage()
		w.Call(t, payload)
		after = w.Usage()
		took = min(took, after.UserCPU+after.SystemCPU-before.UserCPU-before.SystemCPU)
	}
	if timed && took > maxCPU {
		t.Errorf("%s: got %v of a processor, want at most %v", what, took, maxCPU)
	}
}
