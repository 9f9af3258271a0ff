package awsfake

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The region and the account of all fakes.
const (
	Region  = "eu-west-1"
	Account = "123456789012"
)

// Service is the common part of all fakes, which embed it: a server on loopback, counts of
// requests, and faults on demand. The zero value is ready to use. It is safe for concurrent use and
// must not be copied. It prints, logs and encodes as a fixed text, and so does a fake that embeds
// it.
type Service struct {
	mu     sync.Mutex
	calls  map[string]int
	faults faultQueue

	server *http.Server
	url    string
}

// Listen serves the handler on a free port of 127.0.0.1 until Close. It may be called once.
func (s *Service) Listen(handler http.Handler) error {
	server, address, err := Serve(handler)
	if err != nil {
		return fmt.Errorf("start %T: %w", handler, err)
	}
	s.server, s.url = server, "http://"+address
	return nil
}

// URL returns the endpoint after Listen, without a slash at its end.
func (s *Service) URL() string { return s.url }

// Close stops serving, and ends requests that a fault holds. Without Listen it does nothing.
func (s *Service) Close() {
	if s.server != nil {
		_ = s.server.Close()
	}
}

// Count counts a request and returns the fault that strikes it, or 0. What a request is about
// depends on the service, for example its operation.
func (s *Service) Count(about string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = make(map[string]int)
	}
	s.calls[about]++
	return s.faults.next(about)
}

// Calls returns how many requests about that have arrived, including refused ones and those that a
// fault struck; with an empty string, the number of all requests.
func (s *Service) Calls(about string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if about != "" {
		return s.calls[about]
	}
	total := 0
	for _, n := range s.calls {
		total += n
	}
	return total
}

// Fail makes the next n requests fail with the fault, or all requests if n is [UntilCleared].
// Faults of several calls strike one after another.
func (s *Service) Fail(fault Fault, n int) { s.FailOnly("", fault, n) }

// FailOnly is [Service.Fail] for the requests about that; with an empty string, for all.
func (s *Service) FailOnly(about string, fault Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.add(fault, n, about)
}

// ClearFaults removes all faults. Requests that [Silence] already holds get no answer.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// String returns a fixed text.
func (s *Service) String() string { return "awsfake.Service(redacted)" }

// GoString returns a fixed text.
func (s *Service) GoString() string { return s.String() }

// LogValue returns a fixed text.
func (s *Service) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns a fixed text.
func (s *Service) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Serve serves the handler on a free port of 127.0.0.1 until the server is closed, and returns the
// address as host:port.
func Serve(handler http.Handler) (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		// Faults and killed processes leave broken connections, which are not worth a log.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.Serve(listener)
	return server, listener.Addr().String(), nil
}

// NewID returns a random UUID, version 4.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
