package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// connect puts the function behind a gateway to which the simulator delivers.
func connect(t *testing.T, w *stagetest.World, version string) {
	t.Helper()
	gateway := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		headers := map[string]string{}
		for name := range r.Header {
			headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		result, err := w.Invoke(t.Context(), deliver(t, headers, string(body)))
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := result.HTTP()
		if err != nil {
			t.Error(err)
			return
		}
		out.WriteHeader(answer.Status)
		_, _ = out.Write(answer.Body)
	}))
	t.Cleanup(gateway.Close)
	w.Didit.RetryWaits = []time.Duration{0, 0}
	if err := w.Didit.SetWebhook(gateway.URL+"/webhooks/didit", stage.WebhookSecret, version); err != nil {
		t.Fatal(err)
	}
}

// answers waits for pending deliveries, and returns the answers to the deliveries since the first
// n.
func answers(t *testing.T, w *stagetest.World, n int) (statuses []int) {
	t.Helper()
	if err := w.Didit.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.Didit.Deliveries()[n:] {
		statuses = append(statuses, d.Status)
	}
	return statuses
}

// Ensure that deliveries of the simulator, which signs them itself, are accepted in every version
// of the body, and that it retries what it should retry and nothing else.
func TestSimulator(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2", "v3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := stagetest.NewUnprepared(t, lambdatest.Options{Env: stagetest.OneAttempt})
			connect(t, w, version)
			id := w.Session(t, "user-123")
			if got := answers(t, w, 0); !slices.Equal(got, []int{200}) {
				t.Fatalf("a new session: got answers %v, want 200", got)
			}
			for _, test := range []struct {
				status  string
				quirk   didittest.Quirk
				arrange func()
				want    []int // answers to the deliveries
				events  int   // on the bus
			}{
				{"In Progress", "", nil, []int{200}, 1},
				{"Approved", "", nil, []int{200}, 1},
				{"Declined", didittest.SendTwice, nil, []int{200, 200}, 2},
				{"In Review", didittest.SendReworded, nil, []int{200}, 1},
				{"Abandoned", didittest.SendForged, nil, []int{404, 404, 404}, 0},
				{"Approved", didittest.SendStale, nil, []int{401}, 0},
				{"Expired", "", func() { w.Bus.Fail(awsfake.EntryFailed, 1) }, []int{503, 200}, 1},
				{"Kyc Expired", "", func() { w.Table.Fail(awsfake.Throttled, 1) }, []int{503, 200}, 1},
			} {
				if test.arrange != nil {
					test.arrange()
				}
				if test.quirk != "" {
					w.Didit.Misdeliver(test.quirk, 1)
				}
				published, delivered := len(w.Bus.Events()), len(w.Didit.Deliveries())
				w.SetStatus(t, id, test.status)
				if got := answers(t, w, delivered); !slices.Equal(got, test.want) {
					t.Errorf("%s %s: got answers %v, want %v\n%s", test.status, test.quirk, got, test.want, w.Logs())
				}
				_, details := w.Published(t)
				if len(details) != published+test.events {
					t.Fatalf("%s %s: %d events were published, want %d", test.status, test.quirk, len(details)-published, test.events)
				}
				for _, d := range details[published:] {
					if d.SessionID != id || d.Status != test.status || d.EventID != details[published].EventID {
						t.Errorf("%s %s: got session %s, status %s, event %s", test.status, test.quirk, d.SessionID, d.Status, d.EventID)
					}
				}
			}
		})
	}
}

// Ensure that a rotation in Didit's console loses nothing: with the secret before it the function
// takes every delivery of the following day, a re-encoded one included. A secret that is older than
// both signs nothing.
func TestSimulator_rotation(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{Env: stagetest.OneAttempt})
	connect(t, w, "v3")
	id := w.Session(t, "user-123")
	want := func(when, status string, quirk didittest.Quirk, want ...int) {
		t.Helper()
		if quirk != "" {
			w.Didit.Misdeliver(quirk, 1)
		}
		delivered := len(w.Didit.Deliveries())
		w.SetStatus(t, id, status)
		if got := answers(t, w, delivered); !slices.Equal(got, want) {
			t.Errorf("%s: got answers %v, want %v", when, got, want)
		}
	}
	rotate := func(secret string) {
		t.Helper()
		if err := w.Didit.RotateWebhookSecret(secret); err != nil {
			t.Fatal(err)
		}
	}
	if got := answers(t, w, 0); !slices.Equal(got, []int{200}) {
		t.Fatalf("before: got answers %v, want 200", got)
	}
	rotate("the-second-secret")
	want("rotated", "In Progress", "", 200)
	want("rotated and re-encoded", "Approved", didittest.SendReworded, 200)
	want("rotated and forged", "Declined", didittest.SendForged, 404, 404, 404)
	rotate("the-third-secret")
	want("rotated twice", "In Review", "", 404, 404, 404)
}
