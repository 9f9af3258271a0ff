// Package awsfake has fakes of the AWS services that functions of this module call, for tests and
// local programs: [SecretsManager], [EventBridge] and [StepFunctions]; package dynamodb has a
// table. They speak the services' wire protocols, so the real SDK talks to them, refuse what the
// services refuse, and fail on demand:
//
//	secrets := new(awsfake.SecretsManager)
//	secrets.Set("didit", `{"api_key":"key"}`)
//	err := secrets.Start() // a function finds it by AWS_ENDPOINT_URL_SECRETS_MANAGER
//	defer secrets.Close()
//	secrets.Fail(awsfake.Throttled, 2) // the next two requests
//
// A fake is an [http.Handler], so a program may also serve it in its own way. The zero value is
// ready to use, all methods are safe for concurrent use, and a fake must not be copied. Requests
// must be signed (Signature Version 4), but signatures are not verified. Fakes print, log and
// encode without the data that they hold.
package awsfake

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
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
	faults []pendingFault // in the order in which they strike

	server *http.Server
	url    string
}

type pendingFault struct {
	fault Fault
	only  string // what the requests are about; empty: anything
	left  int    // requests; negative: no end
}

// Listen serves the handler on a free port of 127.0.0.1 until Close. It may be called once.
func (s *Service) Listen(handler http.Handler) error {
	server, address, err := Serve(handler, nil)
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
	for i, f := range s.faults {
		if f.only != "" && f.only != about {
			continue
		}
		if s.faults[i].left--; f.left == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f.fault
	}
	return 0
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

// ForgetCalls makes Calls count from now on.
func (s *Service) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
}

// Fail makes the next n requests fail with the fault, or all requests if n is [UntilCleared].
// Faults of several calls strike one after another.
func (s *Service) Fail(fault Fault, n int) { s.FailOnly("", fault, n) }

// FailOnly is [Service.Fail] for the requests about that; with an empty string, for all.
func (s *Service) FailOnly(about string, fault Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n != 0 {
		s.faults = append(s.faults, pendingFault{fault, about, n})
	}
}

// ClearFaults removes all faults. Requests that [Silence] already holds get no answer.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

const redacted = "awsfake.Service(redacted)"

// Format prints a fixed text, for every verb.
func (s *Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns a fixed text.
func (s *Service) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Serve serves the handler on a free port of 127.0.0.1 until the server is closed, and returns the
// address as host:port. With a config it serves HTTPS.
func Serve(handler http.Handler, config *tls.Config) (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{
		// The server adds to the config.
		Handler: handler, TLSConfig: config.Clone(), ReadHeaderTimeout: time.Minute,
		// Faults and killed processes leave broken connections, which are not worth a log.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if config == nil {
		go server.Serve(listener)
	} else {
		go server.ServeTLS(listener, "", "")
	}
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
