package lambdatest

import (
	"net"
	"net/http"
)

// SecretsFault is a way in which Secrets Manager lets its callers down.
type SecretsFault int

// The faults, with the answer that AWS gives (AWS Secrets Manager:
// GetSecretValue errors, and common errors).
const (
	Throttled         SecretsFault = iota + 1 // 400 ThrottlingException
	AccessDenied                              // 400 AccessDeniedException
	NotFound                                  // 400 ResourceNotFoundException
	MarkedForDeletion                         // 400 InvalidRequestException
	DecryptionFailure                         // 400 DecryptionFailure
	InternalError                             // 500 InternalServiceError
	Silence                                   // no answer until the caller gives up
	Reset                                     // connection reset after the request was read
)

// UntilCleared, as a number of requests, makes a fault last until ClearFaults.
const UntilCleared = -1

type pendingFault struct {
	fault SecretsFault
	left  int // negative: no end
}

// Fail makes the next n requests end in fault, or all of them with
// [UntilCleared]. Faults of several calls follow one another; n of 0 adds none.
func (m *SecretsManager) Fail(fault SecretsFault, n int) {
	if n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, pendingFault{fault, n})
}

// ClearFaults lets requests succeed again. One that Silence holds stays held.
func (m *SecretsManager) ClearFaults() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// nextFault takes one occurrence of the first pending fault; 0 is none. The
// caller holds mu.
func (m *SecretsManager) nextFault() SecretsFault {
	if len(m.faults) == 0 {
		return 0
	}
	first := &m.faults[0]
	fault := first.fault
	if first.left > 0 {
		if first.left--; first.left == 0 {
			m.faults = m.faults[1:]
		}
	}
	return fault
}

// strike answers with the fault.
func (fault SecretsFault) strike(w http.ResponseWriter, r *http.Request) {
	switch fault {
	case Throttled:
		refuse(w, 400, "ThrottlingException", "message", "Rate exceeded")
	case AccessDenied:
		refuse(w, 400, "AccessDeniedException", "Message", "User: arn:aws:sts::"+Account+":assumed-role/function-role/function is not authorized to perform: "+
			"secretsmanager:GetSecretValue on resource because no identity-based policy allows the secretsmanager:GetSecretValue action")
	case NotFound:
		refuse(w, 400, "ResourceNotFoundException", "Message", messageNotFound)
	case MarkedForDeletion:
		refuse(w, 400, "InvalidRequestException", "Message", "You can't perform this operation on the secret because it was marked for deletion.")
	case DecryptionFailure:
		refuse(w, 400, "DecryptionFailure", "Message", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
	case InternalError:
		refuse(w, 500, "InternalServiceError", "Message", "An error occurred on the server side.")
	case Silence:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		reset(w)
	}
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
