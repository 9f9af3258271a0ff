package didittest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure faults are met in order, by their op, as often as they say.
func TestServer_Inject_order(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(Fault{On: OpToken, Status: 501})
	r.Inject(Fault{On: OpCreate, Status: 502, Times: 2})
	r.Inject(Fault{Status: 503, Times: 1})
	for i, want := range []int{502, 502, 503, 201} {
		if got := r.create(userOrder); got.status != want {
			t.Errorf("create %d: status %d, want %d", i, got.status, want)
		}
	}
	for i := range 3 {
		if got := r.form("", "", ""); got.status != 501 {
			t.Errorf("token %d: status %d, want 501", i, got.status)
		}
	}
	r.ClearFaults()
	r.token()
	got := r.Requests()
	if got[0].Fault != "answer" || got[0].Status != 502 || got[3].Fault != "" {
		t.Errorf("requests %+v", got)
	}
}

// Ensure the zero fault is what it says, and no page or other path meets it.
func TestServer_Inject_zero(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	v := r.created(userOrder)
	r.Inject(Fault{})
	if got := r.create(userOrder); got.status != 500 || got.body != "" {
		t.Errorf("create: status %d, body %q; want 500, none", got.status, got.body)
	}
	if got := r.form("", "", ""); got.status != 500 {
		t.Errorf("token: status %d, want 500", got.status)
	}
	if got := r.do("GET", "/session/"+v.SessionToken, ""); got.status != 200 {
		t.Errorf("page: status %d, want 200", got.status)
	}
}

func TestServer_Inject_answer(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	header := http.Header{"Content-Type": {"text/plain"}, "X-Two": {"a", "b"}}
	r.Inject(Fault{Status: 418, Header: header, Body: "<&>"})
	header.Set("X-Two", "changed")
	got := r.create(userOrder)
	if got.status != 418 || got.body != "<&>" || got.header.Get("Content-Type") != "text/plain" ||
		strings.Join(got.header.Values("X-Two"), ",") != "a,b" {
		t.Errorf("status %d, body %q, header %v", got.status, got.body, got.header)
	}
	r.ClearFaults()
	r.Inject(Fault{Status: 204})
	if got := r.create(userOrder); got.status != 204 || got.err != nil {
		t.Errorf("without a body: status %d, error %v", got.status, got.err)
	}
	if n := len(r.Sessions()); n != 0 {
		t.Errorf("%d sessions, want none", n)
	}
}

// Ensure a large answer is as large as it says, and may be left in the middle.
func TestServer_Inject_size(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(Fault{Status: 201, Body: `{}`, Size: 3 << 20})
	got := r.create(userOrder)
	if len(got.body) != 3<<20 || strings.TrimRight(got.body, " ") != `{}` || got.err != nil {
		t.Errorf("%d bytes, error %v", len(got.body), got.err)
	}
	r.ClearFaults()
	r.Inject(Fault{Status: 201, Size: 32 << 20})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", r.origin+"/v2/session/", nil)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, res.Body, 1<<20); n != 1<<20 || err != nil || res.ContentLength != 32<<20 {
		t.Errorf("read %d of %d, error %v", n, res.ContentLength, err)
	}
	res.Body.Close()
}

// Ensure each mode looks to a caller as documented, and works or not as documented.
func TestServer_Inject_modes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode     Mode
		sessions int
		seen     int // status noted
		check    func(reply) bool
	}{
		{ModeResetBefore, 0, 0, func(got reply) bool { return errors.Is(got.err, syscall.ECONNRESET) }},
		{ModeResetAfter, 1, 0, func(got reply) bool { return errors.Is(got.err, syscall.ECONNRESET) }},
		{ModeTruncated, 1, 201, func(got reply) bool {
			return got.status == 201 && errors.Is(got.err, io.ErrUnexpectedEOF) && strings.HasPrefix(got.body, `{"session_id"`)
		}},
		{ModeCutJSON, 1, 201, func(got reply) bool {
			return got.status == 201 && got.err == nil && strings.HasPrefix(got.body, `{"session_id"`) && !strings.HasSuffix(got.body, "}")
		}},
		{ModeDrip, 1, 201, func(got reply) bool { return got.status == 201 && strings.HasSuffix(got.body, "}") }},
		{ModeSlow, 1, 201, func(got reply) bool { return got.status == 201 && strings.HasSuffix(got.body, "}") }},
		{ModeOtherVendorData, 1, 201, func(got reply) bool {
			return got.status == 201 && strings.Contains(got.body, `"vendor_data":"another-end-user"`) && strings.Contains(got.body, `"workflow_id":"`+workflow+`"`)
		}},
		{ModeOtherWorkflow, 1, 201, func(got reply) bool {
			return got.status == 201 && strings.Contains(got.body, `"vendor_data":"user-123"`) && strings.Contains(got.body, `"workflow_id":"`+otherWorkflowID+`"`)
		}},
	} {
		t.Run(string(tt.mode), func(t *testing.T) {
			t.Parallel()
			r := serve(t, &Server{})
			r.client.Transport.(*http.Transport).DisableKeepAlives = true // net/http repeats nothing on a new connection
			f := Fault{Mode: tt.mode, Times: 1}
			if tt.mode == ModeDrip || tt.mode == ModeSlow {
				f.Pause = time.Microsecond
			}
			r.Inject(f)
			if got := r.create(userOrder); !tt.check(got) {
				t.Errorf("status %d, body %s, error %v", got.status, got.body, got.err)
			}
			if n := len(r.Sessions()); n != tt.sessions {
				t.Errorf("%d sessions, want %d", n, tt.sessions)
			}
			if got := r.Requests()[0]; got.Status != tt.seen || got.Fault != string(tt.mode) {
				t.Errorf("noted status %d, fault %q; want %d, %q", got.Status, got.Fault, tt.seen, tt.mode)
			}
			r.created(userOrder)
		})
	}
}

// Ensure silence lasts until the caller leaves, and that a session exists after one of its kinds.
func TestServer_Inject_silence(t *testing.T) {
	t.Parallel()
	for mode, sessions := range map[Mode]int{ModeSilence: 0, ModeSilenceAfter: 1} {
		arrived := make(chan Exchange, 1)
		r := serve(t, &Server{OnRequest: func(x Exchange) { arrived <- x }})
		r.Inject(Fault{Mode: mode})
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "POST", r.origin+"/v2/session/", strings.NewReader(userOrder))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", DefaultAPIKey)
		answered := make(chan reply, 1)
		go func() { answered <- r.send(req) }()
		if x := <-arrived; x.Status != 0 || x.Fault != string(mode) {
			t.Errorf("%s: noted %+v", mode, x)
		}
		select {
		case got := <-answered:
			t.Errorf("%s: answered with %d, error %v", mode, got.status, got.err)
		default:
		}
		leave()
		if got := <-answered; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%s: error %v, want the caller's own", mode, got.err)
		}
		if n := len(r.Sessions()); n != sessions {
			t.Errorf("%s: %d sessions, want %d", mode, n, sessions)
		}
	}
}

// Ensure Close ends every kind of waiting.
func TestServer_Close_releases(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ModeSilence, ModeSilenceAfter, ModeSlow, ModeDrip} {
		arrived := make(chan Exchange, 1)
		r := serve(t, &Server{OnRequest: func(x Exchange) { arrived <- x }})
		f := Fault{Mode: mode}
		if mode == ModeSlow || mode == ModeDrip {
			f.Pause = time.Hour
		}
		r.Inject(f)
		answered := make(chan reply, 1)
		go func() { answered <- r.create(userOrder) }()
		<-arrived
		r.Close()
		if got := <-answered; got.err == nil && got.body != "" {
			t.Errorf("%s: body %q, want none", mode, got.body)
		}
	}
}

// Ensure the pauses are those that were asked for, on a clock that costs nothing.
func TestServer_Inject_pauses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f    Fault
		want func(bytes int) time.Duration
	}{
		{Fault{Mode: ModeSlow}, func(int) time.Duration { return DefaultPause }},
		{Fault{Mode: ModeSlow, Pause: time.Minute}, func(int) time.Duration { return time.Minute }},
		{Fault{Mode: ModeDrip, Pause: time.Second}, func(n int) time.Duration { return time.Duration(n) * time.Second }},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Server{}
			s.Inject(tt.f)
			w := httptest.NewRecorder()
			start := time.Now()
			s.ServeHTTP(w, httptest.NewRequest("POST", "/auth/v2/token/", nil))
			if got, want := time.Since(start), tt.want(w.Body.Len()); got != want || !w.Flushed && tt.f.Mode == ModeDrip {
				t.Errorf("%+v: took %v for %d bytes, want %v", tt.f, got, w.Body.Len(), want)
			}
		})
	}
}

// Ensure a drip begins with its header and one byte, so that a caller's header timeout does not end
// it.
func TestServer_Inject_dripStarts(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(Fault{Mode: ModeDrip, Pause: time.Millisecond})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", r.origin+"/auth/v2/token/", nil)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := bufio.NewReader(res.Body).ReadByte(); b != '{' || err != nil {
		t.Errorf("first byte %q, error %v", b, err)
	}
}

// Ensure a connection that cannot be taken over is aborted in net/http's way.
func TestServer_Inject_withoutConnection(t *testing.T) {
	t.Parallel()
	s := &Server{}
	s.Inject(Fault{Mode: ModeResetBefore})
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("panic %v, want http.ErrAbortHandler", got)
		}
	}()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v2/session/", nil))
}

func TestServer_Inject_invalid(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]Fault{
		"on: ":     {On: OpPage},
		"times: ":  {Times: -1},
		"pause: ":  {Pause: -1},
		"mode: ":   {Mode: "explode"},
		"status: ": {Status: 99},
		"size: ":   {Size: maxFaultSize + 1},
		"mode: r":  {Mode: ModeResetAfter, Status: 500},
		"mode: d":  {Mode: ModeDrip, Body: "x"},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, "didittest: fault: "+want) {
					t.Errorf("Inject(%+v): panic %q, want one about %q", f, got, want)
				}
			}()
			new(Server).Inject(f)
		}()
	}
}

// Ensure a session can ask for its own trouble.
func TestServer_simulate(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	simulate := func(value string) reply {
		return r.create(`{"workflow_id":"` + workflow + `","metadata":` + value + `}`)
	}
	if got := simulate(`{"simulate":"user_blocked"}`); got.status != 400 || got.body != UserBlocked.Body {
		t.Errorf("user_blocked: status %d, body %s", got.status, got.body)
	}
	if got := simulate(`{"simulate":"cut_json"}`); got.status != 201 || strings.HasSuffix(got.body, "}") {
		t.Errorf("cut_json: status %d, body %s", got.status, got.body)
	}
	if got := simulate(`{"simulate":"nonsense"}`); got.status != 400 ||
		!strings.HasPrefix(got.body, `{"metadata":{"simulate":["\"nonsense\" is no fault of the simulator; GET /simulator/faults lists them."]`) {
		t.Errorf("nonsense: status %d, body %s", got.status, got.body)
	}
	for _, value := range []string{`{"simulate":""}`, `{"simulate":1}`, `"\"simulate\""`, `{"x":{"simulate":"credits"}}`} {
		if got := simulate(value); got.status != 201 {
			t.Errorf("metadata %s: status %d, body %s", value, got.status, got.body)
		}
	}
	r.Inject(Throttled.Once())
	if got := simulate(`{"simulate":"credits"}`); got.status != 429 {
		t.Errorf("with an armed fault: status %d, want that fault's", got.status)
	}
}
