package didittest

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// An answer is a whole response, not yet sent.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// jsonAnswer encodes v without escaping HTML: metadata must come back as it was sent.
func jsonAnswer(status int, v any) answer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // every v is a type of this package, and raw JSON in it was checked
	}
	return textAnswer(status, "application/json", bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func textAnswer(status int, contentType string, body []byte) answer {
	return answer{status, http.Header{"Content-Type": {contentType}}, body}
}

// detail returns an error in the session API's shape for everything that concerns no single field.
func detail(status int, text string) answer {
	return jsonAnswer(status, map[string]string{"detail": text})
}

// writeHeader announces the whole body.
func (a answer) writeHeader(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
}

func (a answer) send(w http.ResponseWriter) {
	a.writeHeader(w)
	_, _ = w.Write(a.body)
}

// answer sends a, in the way of the fault that the request met; f is nil if it met none.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a answer, f *Fault) {
	if f == nil {
		a.send(w)
		return
	}
	pause := cmp.Or(f.Pause, DefaultPause)
	switch f.Mode {
	case ModeResetBefore, ModeResetAfter:
		reset(w)
	case ModeSilence, ModeSilenceAfter:
		s.wait(r, nil)
		reset(w)
	case ModeTruncated:
		a.writeHeader(w)
		_, _ = w.Write(a.body[:len(a.body)/2]) // net/http closes the connection: more was announced
	case ModeCutJSON:
		a.body = a.body[:len(a.body)/2]
		a.send(w)
	case ModeDrip:
		a.writeHeader(w)
		flush := http.NewResponseController(w).Flush
		for rest := a.body; flush() == nil && len(rest) > 0 && s.wait(r, time.After(pause)); rest = rest[1:] {
			_, _ = w.Write(rest[:1])
		}
	case ModeSlow:
		if s.wait(r, time.After(pause)) {
			a.send(w)
		}
	default:
		a.send(w)
	}
}

// wait returns true when the timer fires, and false when the caller leaves or the simulator is
// closed before that.
func (s *Server) wait(r *http.Request, timer <-chan time.Time) bool {
	select {
	case <-timer:
		return true
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
	return false
}

// reset closes the connection so that the caller sees a TCP reset rather than an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: resets the stream
	}
	plain := conn
	if t, ok := conn.(*tls.Conn); ok {
		plain = t.NetConn() // closing the TLS connection would send an orderly close_notify
	}
	if t, ok := plain.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = plain.Close()
}
