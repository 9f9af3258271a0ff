package lambdatest

import (
	"net"
	"net/http"
)

// Fault is a way in which a service of AWS lets its callers down.
type Fault int

// The faults of all services. The error's name is the service's own.
const (
	Throttled     Fault = iota + 1 // too many requests
	AccessDenied                   // the caller may not do that
	NotFound                       // what the request names does not exist
	InternalError                  // status 500
	Silence                        // no answer until the caller gives up
	Reset                          // connection reset after the request was read
)

// Faults of [SecretsManager] alone.
const (
	MarkedForDeletion Fault = iota + 101 // 400 InvalidRequestException
	DecryptionFailure                    // 400 DecryptionFailure
)

// Faults of [EventBridge] alone: the request succeeds, and none of its entries does.
const (
	EntryFailed    Fault = iota + 201 // InternalFailure
	EntryThrottled                    // ThrottlingException
	EntryDenied                       // NotAuthorizedForSourceException
)

// Faults of [StepFunctions] alone.
const (
	TaskTimedOut     Fault = iota + 301 // 400 TaskTimedOut: the task has ended
	TaskDoesNotExist                    // 400 TaskDoesNotExist: its execution has ended
	InvalidToken                        // 400 InvalidToken
	KeyDenied                           // 400 KmsAccessDeniedException
)

// UntilCleared, as a number of requests, makes a fault last until ClearFaults.
const UntilCleared = -1

// faultQueue holds faults in the order in which they strike. Its owner guards it.
type faultQueue []pendingFault

type pendingFault struct {
	fault Fault
	left  int    // negative: no end
	only  string // what a request must be about to be struck; empty: anything
}

// add makes the next n requests about only end in fault.
func (q *faultQueue) add(fault Fault, n int, only string) {
	if n != 0 {
		*q = append(*q, pendingFault{fault, n, only})
	}
}

// next takes one occurrence of the first fault that strikes a request about that; 0 is none.
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

// disconnect leaves the caller without an answer. It does not return.
func (fault Fault) disconnect(w http.ResponseWriter, r *http.Request) {
	if fault == Silence {
		<-r.Context().Done()
	} else {
		reset(w)
	}
	panic(http.ErrAbortHandler)
}

// reset ends the connection with a TCP reset where there is one to take over;
// an HTTP/2 stream is reset instead.
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
		// With bytes thrown away on close, the kernel sends RST instead of FIN.
		tcp.SetLinger(0)
	}
	inner.Close()
}
