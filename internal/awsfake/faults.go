package awsfake

import (
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

// faultQueue holds faults in the order in which they strike. It is not safe for concurrent use.
type faultQueue []pendingFault

type pendingFault struct {
	fault Fault
	left  int    // requests; negative: no end
	only  string // what the requests are about; empty: anything
}

// add makes the next n requests about only fail.
func (q *faultQueue) add(fault Fault, n int, only string) {
	if n != 0 {
		*q = append(*q, pendingFault{fault, n, only})
	}
}

// next takes one occurrence of the first fault for a request about that; 0 if there is none.
func (q *faultQueue) next(about string) Fault {
	for i := range *q {
		first := &(*q)[i]
		if first.only != "" && first.only != about {
			continue
		}
		fault := first.fault
		if first.left > 0 {
			if first.left--; first.left == 0 {
				*q = append((*q)[:i:i], (*q)[i+1:]...)
			}
		}
		return fault
	}
	return 0
}

// disconnect leaves the client without an answer. It does not return.
func (fault Fault) disconnect(w http.ResponseWriter, r *http.Request) {
	if fault == Silence {
		<-r.Context().Done()
	} else {
		reset(w)
	}
	panic(http.ErrAbortHandler)
}

// reset resets the TCP connection, or the stream of an HTTP/2 connection.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = secured.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		// Without lingering, the kernel sends RST instead of FIN.
		tcp.SetLinger(0)
	}
	inner.Close()
}
