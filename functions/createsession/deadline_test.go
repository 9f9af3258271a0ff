package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
)

// stall is a way in which a service keeps its caller waiting.
type stall string

const (
	handshake stall = "no handshake"
	silence   stall = "no answer"
	cut       stall = "a header and no body"
	drip      stall = "a body in drops"
)

// start returns the URL of an upstream that stalls.
func (s stall) start(t *testing.T) string {
	t.Helper()
	if s == handshake {
		// The kernel accepts connections, but this process does not.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return "https://" + l.Addr().String()
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	return server.URL
}

func (s stall) serve(w http.ResponseWriter, r *http.Request) {
	// A server notices the end of a connection only after it has read the whole request.
	_, _ = io.Copy(io.Discard, r.Body)
	flush := http.NewResponseController(w).Flush
	if s != silence {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = flush()
	}
	drops := time.NewTicker(50 * time.Millisecond)
	defer drops.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-drops.C:
			if s == drip {
				_, _ = w.Write([]byte(" "))
				_ = flush()
			}
		}
	}
}

// Ensure that the answer leaves before the deadline, whatever stalls, and says whether a session
// may exist.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	testDeadlines(t, shortTimeout)
}

// Ensure the same with the time that the template gives the function.
func TestDeadlines_template(t *testing.T) {
	t.Parallel()
	slow(t)
	testDeadlines(t, lambdatest.APITimeout)
}

// inTime invokes the function and returns its answer, which must leave before the timeout. On a
// busy machine some answers may be late, but not all of five.
func (w *world) inTime(t *testing.T, payload []byte, timeout time.Duration) (r lambdatest.Result, err error) {
	t.Helper()
	for range 5 {
		if r, err = w.Invoke(t.Context(), payload); err != nil || r.Duration < timeout {
			return r, err
		}
	}
	return r, fmt.Errorf("the answer left after %v of %v", r.Duration, timeout)
}

// testDeadlines makes all upstreams of all rows stall at once. A function without a deadline of its
// own gives no answer: it is killed, and Invoke returns an error.
//
// The functions are started with init, as far as it succeeds, so that other services take no time
// of the calls.
func testDeadlines(t *testing.T, timeout time.Duration) {
	t.Helper()
	var calling sync.WaitGroup
	defer calling.Wait()
	for _, upstream := range []struct {
		variable, code, errorType, says string
		status                          int
	}{
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "backend_unavailable", "BackendUnavailable", "again", 503},
		{"DIDIT_AUTH_URL", "didit_timeout", "DiditTimeout", "Whether a session was created is unknown", 504},
		{"DIDIT_API_URL", "didit_timeout", "DiditTimeout", "Whether a session was created is unknown", 504},
	} {
		for _, s := range []stall{handshake, silence, cut, drip} {
			name := fmt.Sprintf("%s, %s", upstream.variable, s)
			w := newIdle(t)
			w.start(t, lambdatest.Options{Timeout: timeout, Grace: grace, MaxConcurrency: 3,
				Env: map[string]string{upstream.variable: s.start(t)}})
			for _, body := range []string{named, anonymous} {
				calling.Go(func() {
					r, err := w.inTime(t, []byte(body), timeout)
					if err != nil || r.ErrorType != upstream.errorType || !strings.Contains(r.ErrorMessage, upstream.says) {
						t.Errorf("%s, %s: got %q %s, %v, want %s", name, body, r.ErrorType, r.ErrorMessage, err, upstream.errorType)
					}
				})
			}
			payload := event(t, "http-minimal")
			calling.Go(func() {
				r, err := w.inTime(t, payload, timeout)
				if err != nil {
					t.Errorf("%s, HTTP: %v", name, err)
					return
				}
				a, err := r.HTTP()
				var problem struct{ Code, Detail string }
				if err != nil || json.Unmarshal(a.Body, &problem) != nil || a.Status != upstream.status ||
					problem.Code != upstream.code || !strings.Contains(problem.Detail, upstream.says) {
					t.Errorf("%s, HTTP: got %d %s, %v, want %d %s", name, a.Status, a.Body, err, upstream.status, upstream.code)
				}
			})
		}
	}
}
