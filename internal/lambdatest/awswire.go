package lambdatest

import (
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// awsJSON is how a service speaks the AWS JSON protocol.
type awsJSON struct {
	contentType string // names the protocol's version
	target      string // before the operation, in X-Amz-Target
	name        string // in signatures, and before the operation in policies
	mostBytes   int64  // of a request
	internal    string // name of an internal error
}

// read returns the operation and the body of a signed request, or refuses it.
func (p awsJSON) read(w http.ResponseWriter, r *http.Request) (operation string, body []byte, ok bool) {
	w.Header().Set("X-Amzn-RequestId", newRequestID())
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.mostBytes))
	if err != nil {
		p.refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request is too long")
		return "", nil, false
	}
	operation, ok = strings.CutPrefix(r.Header.Get("X-Amz-Target"), p.target+".")
	if r.Method != http.MethodPost || !ok || r.Header.Get("Content-Type") != p.contentType {
		p.refuse(w, 400, "UnknownOperationException", "")
		return "", nil, false
	}
	if errorType, message := unsigned(r.Header, p.name); errorType != "" {
		p.refuse(w, 400, errorType, message)
		return "", nil, false
	}
	return operation, body, true
}

// strike answers with a fault that every service knows.
func (p awsJSON) strike(w http.ResponseWriter, r *http.Request, fault Fault, operation, resource string) {
	switch fault {
	case Throttled:
		p.refuse(w, 400, "ThrottlingException", "Rate exceeded")
	case AccessDenied:
		p.refuse(w, 400, "AccessDeniedException", "User: arn:aws:sts::"+Account+":assumed-role/function-role/function is not authorized to perform: "+
			p.name+":"+operation+" on resource: "+resource+" because no identity-based policy allows the "+p.name+":"+operation+" action")
	case Silence, Reset:
		fault.disconnect(w, r)
	default:
		p.refuse(w, 500, p.internal, "An internal error occurred.")
	}
}

// reply writes the answer of an operation that succeeded.
func (p awsJSON) reply(w http.ResponseWriter, document any) { p.write(w, http.StatusOK, document) }

// refuse writes an error. A message that is empty is left out.
func (p awsJSON) refuse(w http.ResponseWriter, status int, errorType, message string) {
	document := map[string]string{"__type": errorType}
	if message != "" {
		document["message"] = message
	}
	w.Header().Set("X-Amzn-ErrorType", errorType)
	p.write(w, status, document)
}

// write sends a document with the checksum that DynamoDB sends and its clients check; the other
// services' clients pass over it.
func (p awsJSON) write(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", p.contentType)
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
