package didit

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestFailedAttempt_mayRetry(t *testing.T) {
	t.Parallel()
	// base is retried; each case changes what stops or allows it.
	base := failedAttempt{number: 1, kind: KindUnavailable, reached: true, retryable: true, left: 10 * time.Second}
	with := func(change func(*failedAttempt)) failedAttempt { o := base; change(&o); return o }
	tests := []struct {
		name string
		o    failedAttempt
		want bool
	}{
		{"no connection, retryable", base, true},
		{"500", with(func(o *failedAttempt) { o.status = 500 }), true},
		{"503", with(func(o *failedAttempt) { o.status = 503 }), true},
		{"unreadable success", with(func(o *failedAttempt) { o.status = 201 }), true},
		{"timeout", with(func(o *failedAttempt) { o.kind = KindTimeout }), true},
		{"may have made a session", with(func(o *failedAttempt) { o.retryable = false }), false},
		{"timeout that may have made a session", with(func(o *failedAttempt) { o.kind, o.retryable = KindTimeout, false }), false},
		{"nothing reached Didit", with(func(o *failedAttempt) { o.retryable, o.reached = false, false }), true},
		{"second attempt", with(func(o *failedAttempt) { o.number = 2 }), false},
		{"second attempt that reached nothing", with(func(o *failedAttempt) { o.number, o.reached = 2, false }), false},
		{"advised to wait", with(func(o *failedAttempt) { o.status, o.advised = 503, true }), false},
		{"just time enough", with(func(o *failedAttempt) { o.left = 500 * time.Millisecond }), true},
		{"no time", with(func(o *failedAttempt) { o.left = 500*time.Millisecond - 1 }), false},
		{"unreadable 400", with(func(o *failedAttempt) { o.status = 400 }), false},
		{"unreadable 422", with(func(o *failedAttempt) { o.status = 422 }), false},
		{"throttled", with(func(o *failedAttempt) { o.kind, o.status = KindThrottled, 429 }), false},
		{"refused field", with(func(o *failedAttempt) { o.kind, o.status = KindInvalidRequest, 400 }), false},
		{"refused credentials", with(func(o *failedAttempt) { o.kind, o.status = KindCredentialsRejected, 401 }), false},
		{"plan", with(func(o *failedAttempt) { o.kind, o.status = KindPlanRequired, 400 }), false},
		{"credits", with(func(o *failedAttempt) { o.kind, o.status = KindInsufficientCredits, 400 }), false},
		{"blocked", with(func(o *failedAttempt) { o.kind, o.status = KindUserBlocked, 400 }), false},
		{"unexpected", with(func(o *failedAttempt) { o.kind, o.status = KindUnexpected, 301 }), false},
	}
	for _, tt := range tests {
		if got := tt.o.mayRetry(); got != tt.want {
			t.Errorf("%s, %+v: got %t, want %t", tt.name, tt.o, got, tt.want)
		}
	}
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		number     int
		retryable  bool
		left, want time.Duration
	}{
		{1, true, time.Minute, 10 * time.Second},
		{1, true, 20 * time.Second, 10 * time.Second},
		{1, true, 12 * time.Second, 6 * time.Second},
		{2, true, 12 * time.Second, 10 * time.Second},
		{2, true, 4 * time.Second, 4 * time.Second},
		{1, false, time.Minute, 10 * time.Second},
		{1, false, 4 * time.Second, 4 * time.Second},
	} {
		if got := attemptTimeout(tt.number, tt.retryable, tt.left, maxAttemptTime); got != tt.want {
			t.Errorf("attempt %d, retryable %t, %v left: got %v, want %v", tt.number, tt.retryable, tt.left, got, tt.want)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	lengths := map[time.Duration]bool{}
	for range 100 {
		p := pause()
		lengths[p] = true
		if p < 50*time.Millisecond || p >= 150*time.Millisecond {
			t.Errorf("got %v, want 50 to 150 ms", p)
		}
	}
	if len(lengths) < 10 {
		t.Errorf("got %d different pauses in 100, want jitter", len(lengths))
	}
}

// How often a session POST is made, and that a repetition is the same request.
func TestClient_CreateSession_repeats(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		first       http.HandlerFunc
		wantRepeats int // with vendor data; without, there is never one
	}{
		{"reset", reset, 1},
		{"500", reply(500, ``), 1},
		{"502 HTML", reply(502, `<html>`), 1},
		{"cut off", cut(201, okSession), 1},
		{"not JSON", reply(201, `<html>`), 1},
		{"no url", reply(201, `{"session_id":"i"}`), 1},
		{"503 with advice", reply(503, ``, "Retry-After", "1"), 0},
		{"429", reply(429, ``), 0},
		{"400", reply(400, `{"callback":"Bad."}`), 0},
		{"400 HTML", reply(400, `<html>`), 0},
		{"301", reply(301, ``), 0},
		{"404", reply(404, ``), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, request := range []SessionRequest{named, nameless} {
				want := tt.wantRepeats
				if request.VendorData == "" {
					want = 0
				}
				fake := newFake(t, nil, sequence(tt.first, reply(201, okSession)))
				_, err := fake.client(t, fixed(pairSecret), new(clock)).CreateSession(t.Context(), request)
				tokens, posts := fake.asked()
				if len(posts) != 1+want || len(tokens) != 1 || (err == nil) != (want == 1) {
					t.Errorf("vendor data %q: got %d POSTs, %d token requests, %v, want %d POSTs, 1 token request", request.VendorData, len(posts), len(tokens), err, 1+want)
				}
				if len(posts) == 2 && !reflect.DeepEqual(posts[0], posts[1]) {
					t.Errorf("got the repetition %+v\nwant %+v", posts[1], posts[0])
				}
			}
		})
	}
}

// One repetition, then the failure.
func TestClient_CreateSession_repeatsOnce(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{"500": reply(500, ``), "reset": reset, "cut off": cut(201, okSession)} {
		fake := newFake(t, nil, handler)
		_, err := fake.client(t, fixed(keySecret), new(clock)).CreateSession(t.Context(), named)
		if got := failure(t, name, err).Kind; got != KindUnavailable {
			t.Errorf("%s: got %v, want %v", name, got, KindUnavailable)
		}
		if _, posts := fake.counts(); posts != 2 {
			t.Errorf("%s: got %d POSTs, want 2", name, posts)
		}
	}
}

// What never reached Didit is made again, vendor data or not.
func TestClient_CreateSession_nothingReached(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		reason string
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection refused"},
		{&net.DNSError{Err: "no such host", Name: "planted.example"}, "name not resolved"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNRESET}, "connection reset"},
		{syscall.ENETUNREACH, "connection failed"},
	} {
		for _, failures := range []int32{1, 2} {
			t.Run(fmt.Sprintf("%s %d times", tt.reason, failures), func(t *testing.T) {
				t.Parallel()
				fake := newFake(t, nil, reply(201, okSession))
				c := new(clock)
				transport := NewTransport()
				t.Cleanup(transport.CloseIdleConnections)
				dial := transport.DialContext
				var dials atomic.Int32
				transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					if dials.Add(1) <= failures {
						return nil, tt.err
					}
					return dial(ctx, network, address)
				}
				client := fake.client(t, fixed(keySecret), c)
				client.Transport = transport
				var seen attempts
				client.Observe = seen.observe
				_, err := client.CreateSession(t.Context(), nameless)
				want := []Attempt{{Op: "create_session"}, {Op: "create_session", Status: 201}}
				if failures == 2 {
					want[1] = Attempt{Op: "create_session"}
					wantErr := Error{Kind: KindUnavailable, Op: "create_session", Reason: tt.reason}
					if got := failure(t, tt.reason, err); !reflect.DeepEqual(*got, wantErr) {
						t.Errorf("got %s, want %s", content(got), content(&wantErr))
					}
				} else if err != nil {
					t.Errorf("got %v, want a session", err)
				}
				if got := seen.all(); !reflect.DeepEqual(got, want) {
					t.Errorf("got attempts %+v, want %+v", got, want)
				}
			})
		}
	}
}

// A real refusal, by a port without a listener.
func TestClient_CreateSession_connectionRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	// The port of a connection's other end refuses, and stays taken: that of a closed listener may
	// be another program's by now.
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	refusing := conn.LocalAddr()
	var seen attempts
	client := &Client{
		Credentials: fixed(keySecret), APIURL: "http://" + refusing.String(), Observe: seen.observe, AttemptTimeout: patience,
	}
	_, err = client.CreateSession(t.Context(), nameless)
	if got := failure(t, refusing, err); got.Kind != KindUnavailable || got.Reason != "connection refused" {
		t.Errorf("got %v, want unavailable: connection refused", got)
	}
	if got := len(seen.all()); got != 2 {
		t.Errorf("got %d attempts, want 2", got)
	}
}

// Observe sees every attempt of a call, in order.
func TestClient_Observe(t *testing.T) {
	t.Parallel()
	fake := newFake(t, sequence(reply(500, ``), reply(200, okToken)), sequence(reply(500, ``), reply(400, `{"callback":"Bad."}`)))
	client := fake.client(t, fixed(pairSecret), new(clock))
	type key struct{}
	var seen attempts
	client.Observe = func(ctx context.Context, a Attempt) {
		if ctx.Value(key{}) != "call" || a.Duration <= 0 {
			t.Errorf("%+v: got context value %v, want the call's and a duration", a, ctx.Value(key{}))
		}
		seen.observe(ctx, a)
	}
	_, err := client.CreateSession(context.WithValue(t.Context(), key{}, "call"), named)
	if got := failure(t, "400", err).Kind; got != KindInvalidRequest {
		t.Errorf("got %v, want %v", got, KindInvalidRequest)
	}
	want := []Attempt{
		{Op: "token", Status: 500},
		{Op: "token", Status: 200},
		{Op: "create_session", Status: 500},
		{Op: "create_session", Status: 400},
	}
	if got := seen.all(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
