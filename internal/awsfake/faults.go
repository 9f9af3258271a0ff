package awsfake

import (
	"crypto/tls"
	"net"
	"net/http"
)

// Fault is a way in which a service fails. As an error it makes [Protocol.Serve] answer with it.
type Fault int

// Error returns a fixed text.
func (Fault) Error() string { return "a test has requested a fault" }

// The faults of all services. Each service has its own name for the error.
const (
	Throttled     Fault = iota + 1 // too many requests
	AccessDenied                   // the caller may not do that
	NotFound                       // what the request names does not exist
	InternalError                  // status 500
	Silence                        // no answer until the client gives up
	Reset                          // connection reset after the request was read
)

// Faults of [SecretsManager].
const (
	MarkedForDeletion Fault = iota + 101 // 400 InvalidRequestException
	DecryptionFailure                    // 400 DecryptionFailure
)

// Faults of [EventBridge]: the request succeeds, and all of its entries fail.
const (
	EntryFailed    Fault = iota + 201 // InternalFailure
	EntryThrottled                    // ThrottlingException
	EntryDenied                       // NotAuthorizedForSourceException
)

// Faults of [StepFunctions].
const (
	TaskTimedOut     Fault = iota + 301 // 400 TaskTimedOut: the task has ended
	TaskDoesNotExist                    // 400 TaskDoesNotExist: its execution has ended
	InvalidToken                        // 400 InvalidToken
	KeyDenied                           // 400 KmsAccessDeniedException
)

// UntilCleared, as a number of requests, makes a fault last until ClearFaults.
const UntilCleared = -1

// disconnect leaves the client without an answer, by [Silence] or [Reset]. It does not return.
func (fault Fault) disconnect(w http.ResponseWriter, r *http.Request) {
	if fault == Silence {
		<-r.Context().Done()
	} else if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if secured, ok := conn.(*tls.Conn); ok {
			conn = secured.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			// Without lingering, the kernel sends RST instead of FIN.
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}
