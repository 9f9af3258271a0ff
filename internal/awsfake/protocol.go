package awsfake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Protocol describes how a service speaks the AWS JSON protocol.
type Protocol struct {
	ContentType string            // names the version of the protocol
	Target      string            // the prefix of the operation in X-Amz-Target
	Name        string            // of the service in signatures and policies
	Resource    string            // what AccessDenied is about
	MaxBytes    int64             // of a request
	Faults      map[Fault]Refusal // the service's own, and its InternalError
}

// Request is a signed request in the protocol.
type Request struct {
	Operation string
	Body      []byte
}

// Decode decodes the body as JSON. It refuses members that the document lacks, which would be
// ignored otherwise. Its error is a [*Refusal].
func (r *Request) Decode(document any) error {
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(document)
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	return Refuse("SerializationException", "cannot read the request: "+err.Error())
}

// Refusal is an error that the client gets, and its document.
type Refusal struct {
	Status  int    `json:"-"` // 0 means 400
	Type    string `json:"__type"`
	Message string `json:"message,omitempty"`
}

// Error returns the type and the message.
func (r *Refusal) Error() string { return r.Type + ": " + r.Message }

// Refuse returns a [*Refusal] with status 400.
func Refuse(errorType, message string) error { return &Refusal{Type: errorType, Message: message} }

// ErrUnknownOperation is the refusal of an operation that a fake does not have.
var ErrUnknownOperation = Refuse("UnknownOperationException", "")

// Serve answers a request with the document that work returns, or with its error: a [*Refusal], a
// document that wraps one, or a [Fault]. Requests that are unsigned or do not follow the protocol
// do not reach work.
func (p *Protocol) Serve(w http.ResponseWriter, r *http.Request, work func(*Request) (any, error)) {
	var document any
	request, err := p.read(w, r)
	if err == nil {
		document, err = work(request)
	}
	if fault, ok := errors.AsType[Fault](err); ok {
		if fault == Silence || fault == Reset {
			fault.disconnect(w, r)
		}
		err = p.refusal(fault, request.Operation)
	}
	header, status := w.Header(), http.StatusOK
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		document, status = err, cmp.Or(refusal.Status, http.StatusBadRequest)
		header.Set("X-Amzn-ErrorType", refusal.Type)
	}
	body, _ := json.Marshal(document)
	header.Set("Content-Type", p.ContentType)
	header.Set("X-Amzn-RequestId", NewID())
	// DynamoDB's clients check it; the other services' clients ignore it.
	header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (p *Protocol) read(w http.ResponseWriter, r *http.Request) (*Request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.MaxBytes))
	if err != nil {
		return nil, &Refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request is too long"}
	}
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), p.Target+".")
	if r.Method != http.MethodPost || !ok || r.Header.Get("Content-Type") != p.ContentType {
		return nil, ErrUnknownOperation
	}
	return &Request{operation, body}, p.checkSigned(r.Header)
}

// checkSigned refuses a request without a Signature Version 4 for the service. It does not verify
// the signature.
func (p *Protocol) checkSigned(header http.Header) error {
	authorization := header.Get("Authorization")
	if authorization == "" {
		return Refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 ")
	for _, part := range []string{"Credential=", "/" + p.Name + "/aws4_request", "SignedHeaders=", "Signature="} {
		ok = ok && strings.Contains(rest, part)
	}
	if !ok || header.Get("X-Amz-Date") == "" {
		// AWS quotes the header here, which is of no use in tests.
		return Refuse("IncompleteSignatureException", "Authorization header is not a complete Signature Version 4 for "+p.Name+".")
	}
	return nil
}

// refusal returns the refusal for the fault.
func (p *Protocol) refusal(fault Fault, operation string) error {
	refusal, ok := p.Faults[fault]
	switch {
	case ok:
	case fault == Throttled:
		return Refuse("ThrottlingException", "Rate exceeded")
	case fault == AccessDenied:
		action := p.Name + ":" + operation
		return Refuse("AccessDeniedException", "User: arn:aws:sts::"+Account+":assumed-role/function-role/function is not authorized to perform: "+
			action+" on resource: "+p.Resource+" because no identity-based policy allows the "+action+" action")
	default:
		refusal = p.Faults[InternalError]
	}
	return &refusal
}
