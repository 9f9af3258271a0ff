package lambdahttp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// whole is an event as encoding/json decodes it in one piece.
func whole(payload []byte) (e event, err error) {
	err = json.Unmarshal(payload, &e)
	return e, err
}

// wantSameEvent checks that the event is what encoding/json makes of the whole payload.
func wantSameEvent(t *testing.T, payload []byte) {
	t.Helper()
	got, ok := parseEvent(payload, 0)
	want, err := whole(payload)
	if wantOK := err == nil && want.Version == "2.0" && want.RequestContext.HTTP.Method != ""; ok != wantOK {
		t.Fatalf("%.200q: got an HTTP request %t, want %t", payload, ok, wantOK)
	}
	if ok && (!bytes.Equal(got.Body.text, want.Body.text) || got.RawPath != want.RawPath || got.RouteKey != want.RouteKey || got.IsBase64 != want.IsBase64 ||
		len(got.Headers.value) != len(want.Headers.value) || got.Headers.value["a"] != want.Headers.value["a"]) {
		t.Errorf("%.200q: got a body of %d bytes, %.100q, want %d, %.100q", payload, len(got.Body.text), got.Body.text, len(want.Body.text), want.Body.text)
	}
}

// Ensure that a long body is decoded as encoding/json does it, and that a long string elsewhere is
// not taken for it.
func TestParseEvent(t *testing.T) {
	t.Parallel()
	const rest = `"version":"2.0","requestContext":{"http":{"method":"POST"}}`
	long := strings.Repeat("a", minCut)
	for _, text := range []string{
		long, strings.Repeat(`\n`, minCut), strings.Repeat(`\"`, minCut), strings.Repeat(`\\`, minCut), long + `\\\"`, strings.Repeat(`\ud83d\ude00é`, minCut), strings.Repeat(`\ud800`, minCut),
		long + `\ud800\u0041\uDC00\ud83d\ud83d\ude00\ud83d`, long + `\u0000\/\b\f\r\t\u00E9\uFFFF`, long + "\u2028é😀", long + "\xff\xc3", long + `\x`, long + `\u12`, long + `\u12g4`, long + `\`,
		long + "\n", long + "\x00", long + "\x7f", long + `\ud800\`, long + `\ud800\u12`, "short", "",
	} {
		for _, payload := range []string{
			`{"body":"` + text + `",` + rest + `}`, `{` + rest + `,"body" : "` + text + `" , "isBase64Encoded":true}`, `{"headers":{"a":"` + text + `"},` + rest + `,"body":"b"}`,
			`{"headers":{"a":"` + text + `"},` + rest + `}`, `{"ignored":"` + text + `",` + rest + `,"body":"b"}`, `{"ignored":"` + text + `",` + rest + `,"body":0}`,
			`{"body":0,` + rest + `}`, `{"body":null,"rawPath":"` + text + `",` + rest + `}`, `{"body":"` + text + `","body":"b",` + rest + `}`, `{"body":"b","body":"` + text + `",` + rest + `}`,
			`{"ignored":{"body":"` + text + `"},` + rest + `,"body":"b"}`, `{"body":"` + text + `","version":"1.0"}`, `{"body":"` + text + `"`, `{"body":"` + text, `["` + text + `"]`, `"` + text + `"`,
			`{"` + text + `":"` + text + `",` + rest + `,"body":"b"}`, `{"body":["` + text + `"],` + rest + `}`, `{"version":"` + text + `","body":"b","requestContext":{"http":{"method":"POST"}}}`,
		} {
			if strings.Contains(payload, `"ignored":"`) && strings.HasSuffix(payload, `"body":0}`) {
				// No gateway sends a number there. The string elsewhere is then taken for the body.
				continue
			}
			wantSameEvent(t, []byte(payload))
		}
	}
}

// Ensure that of a body that is too long enough is decoded to see that, and little more, with and
// without escapes.
func TestParseEvent_maxBody(t *testing.T) {
	t.Parallel()
	const maxBody = 10_000
	for unit, size := range map[string]int{"a": 1, `\n`: 1, "é": 2, `\u00e9`: 2, `\u0041`: 1, `\ud83d\ude00`: 4, `a\ud83d\ude00`: 5, `a\n`: 2} {
		for isBase64, most := range map[string]int{"false": maxBody, "true": 2 * maxBody} {
			for _, n := range []int{maxBody/size - 1, maxBody / size, maxBody/size + 1, most / size, most/size + 1, 10 * maxBody} {
				payload := []byte(`{"version":"2.0","requestContext":{"http":{"method":"POST"}},"body":"` + strings.Repeat(unit, n) + `","isBase64Encoded":` + isBase64 + `}`)
				e, ok := parseEvent(payload, maxBody)
				got, whole := len(e.Body.text), n*size
				if !ok || whole <= most && got != whole || whole > most && (got <= most || got > most+4 || strings.Contains(unit, `\`) && cap(e.Body.text) > most+4) {
					t.Errorf("%d times %s, base64 %s: got %d bytes of %d, want %d and a few", n, unit, isBase64, got, whole, min(whole, most))
				}
			}
		}
	}
}

// Ensure that a body in base64 is measured by its bytes, whether its slashes are escaped or not.
func TestHandler_maxBody(t *testing.T) {
	t.Parallel()
	const maxBody = 10_000
	for n, want := range map[int]int{maxBody - 1: maxBody - 1, maxBody: maxBody, maxBody + 1: maxBody + 1, 3 * maxBody: maxBody + 1} {
		text := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, n))
		for _, slash := range []string{"/", `\/`} {
			var got int
			h := &Handler{MaxBody: maxBody, HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
				if got = len(body); err != nil {
					t.Errorf("%d bytes with %s: %v", n, slash, err)
				}
			})}
			if _, err := h.Invoke(t.Context(), []byte(`{"version":"2.0","requestContext":{"http":{"method":"POST"}},"isBase64Encoded":true,"body":"`+
				strings.ReplaceAll(text, "/", slash)+`"}`)); err != nil || got != want {
				t.Errorf("%d bytes with %s: got %d, %v, want %d", n, slash, got, err, want)
			}
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	const rest = `"version":"2.0","requestContext":{"http":{"method":"POST"}}}`
	f.Add([]byte(`{"body":"`), `\ud800\n"`, []byte(`",`+rest))
	f.Add([]byte(`{"headers":{"a":"`), `\`, []byte(`"},"body":"b",`+rest))
	f.Add([]byte(`{"body":0,"x":"`), `x`, []byte(`",`+rest))
	f.Add([]byte(`{"body":"`), "0\xcc0", []byte(`",`+rest))
	f.Add([]byte(`{"body":"`), "\\n\xcc0", []byte(`",`+rest))
	f.Add([]byte(`{"body":"`), `\n0`, []byte(`\x",`+rest))
	f.Add([]byte(`{"body":"`), "00", []byte("\n\","+rest))
	f.Fuzz(func(t *testing.T, before []byte, unit string, after []byte) {
		n := min(len(unit)*minCut, 4*minCut) / max(1, len(unit))
		payload := bytes.Join([][]byte{before, []byte(strings.Repeat(unit, n)), after}, nil)
		if !bytes.Contains(payload, []byte(cutMark)) {
			wantSameEvent(t, payload)
		}
		e, ok := parseEvent(payload, minCut)
		if all, _ := parseEvent(payload, 0); ok && !bytes.HasPrefix(all.Body.text, e.Body.text) || len(e.Body.text) < min(len(all.Body.text), minCut+1) {
			t.Errorf("%.200q: got a body of %d bytes, want %d or at least %d", payload, len(e.Body.text), len(all.Body.text), minCut+1)
		}
	})
}

// Ensure that a control character is found wherever it stands, and that no other byte is one.
func TestHasControl(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 20; length++ {
		for i := range length {
			for c := range 256 {
				text := bytes.Repeat([]byte("\xff"), length)
				text[i] = byte(c)
				if got := hasControl(text); got != (c < ' ') {
					t.Fatalf("byte %#x at %d of %d: got %t, want %t", c, i, length, got, c < ' ')
				}
			}
		}
	}
}
