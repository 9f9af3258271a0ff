package didittest

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"time"
)

// deliver sends the answer, in the way of the fault that the request met, if any.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, a answer, f *Fault) {
	mode := ModeAnswer
	if f != nil {
		mode = f.mode()
	}
	switch mode {
	case ModeResetBefore, ModeResetAfter:
		reset(w)
	case ModeSilence, ModeSilenceAfter:
		s.wait(r, nil)
		reset(w)
	case ModeTruncated:
		a.writeHeader(w)
		w.Write(a.body[:len(a.body)/2]) // net/http ends the connection of a handler that announced more
	case ModeCutJSON:
		a.body = a.body[:len(a.body)/2]
		a.send(w)
	case ModeDrip:
		s.drip(w, r, a, f.pause())
	case ModeSlow:
		if s.pause(r, f.pause()) {
			a.send(w)
		}
	default:
		a.send(w)
	}
}

// writeHeader announces the whole body.
func (a answer) writeHeader(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+a.pad))
	}
	w.WriteHeader(a.status)
}

func (a answer) send(w http.ResponseWriter) {
	a.writeHeader(w)
	w.Write(a.body)
	spaces := bytes.Repeat([]byte(" "), min(a.pad, 64<<10))
	for left := a.pad; left > 0; {
		n, err := w.Write(spaces[:min(left, len(spaces))])
		if err != nil {
			return // the caller has read enough
		}
		left -= n
	}
}

func (s *Server) drip(w http.ResponseWriter, r *http.Request, a answer, pause time.Duration) {
	a.writeHeader(w)
	flush := http.NewResponseController(w).Flush
	flush()
	for i := range a.body {
		if !s.pause(r, pause) {
			return
		}
		w.Write(a.body[i : i+1])
		flush()
	}
}

// pause reports whether it is still worth answering afterwards.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	return s.wait(r, timer.C)
}

// wait returns true when the time has come, false when the caller has left or the simulator is closed.
func (s *Server) wait(r *http.Request, timer <-chan time.Time) bool {
	select {
	case <-timer:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// reset ends the connection so that the caller sees a TCP reset rather than an orderly end.
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
		t.SetLinger(0)
	}
	plain.Close()
}

// addReset tells when the rate limit's window ends, which only the clock knows.
func (s *Server) addReset(h http.Header) {
	seconds, _ := strconv.ParseInt(h.Get("Retry-After"), 10, 64)
	h.Set("X-RateLimit-Reset", strconv.FormatInt(s.now().Unix()+seconds, 10))
}
