package fault

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

const marker = "MARKER arn:aws:iam::123456789012:role/function"

func wantError(t *testing.T, input string, err error, code verification.Code, reason string) {
	t.Helper()
	e, ok := errors.AsType[*verification.Error](err)
	if !ok {
		t.Fatalf("%s: got %v (%T), want a *verification.Error", input, err, err)
	}
	wait := time.Duration(0)
	if code == verification.CodeBackendUnavailable {
		wait = 30 * time.Second
	}
	if e.Code != code || e.Reason != reason || e.RetryAfter != wait {
		t.Errorf("%s: got %v, %q, retry after %v, want %s, %q, %v", input, e, e.Reason, e.RetryAfter, code, reason, wait)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", err, err, err, e.Detail); strings.Contains(text, "MARKER") {
		t.Errorf("%s: the error quotes AWS: %s", input, text)
	}
}

// Ensure that each error of AWS has one code and explanation, whichever service it comes from, and
// that a service's own explanation wins.
func TestService_Explain(t *testing.T) {
	t.Parallel()
	own := map[string]string{"AccessDeniedException": "the function may not do that", "ExpiredToken": "of its own"}
	for code, want := range map[string]string{
		"AccessDeniedException":               "the function may not do that",
		"ExpiredToken":                        "of its own",
		"ExpiredTokenException":               "the function's AWS credentials have expired",
		"UnrecognizedClientException":         "the function's AWS credentials were refused",
		"InvalidClientTokenId":                "the function's AWS credentials were refused",
		"InvalidSignatureException":           "the function's AWS credentials were refused",
		"IncompleteSignatureException":        "the function's AWS credentials were refused",
		"IncompleteSignature":                 "the function's AWS credentials were refused",
		"MissingAuthenticationTokenException": "the function's AWS credentials were refused",
		"MissingAuthenticationToken":          "the function's AWS credentials were refused",

		"ThrottlingException":      "",
		"TooManyRequestsException": "",
		"RequestLimitExceeded":     "",
		"InternalFailure":          "",
		"ServiceUnavailable":       "",
		marker:                     "",
	} {
		for _, permanent := range []verification.Code{"", verification.CodeSecretUnavailable} {
			s := Service{Name: "the service", Permanent: own, Code: permanent}
			wantCode, reason := permanent, want
			if wantCode == "" {
				wantCode = verification.CodeInternal
			}
			if want == "" {
				wantCode, reason = verification.CodeBackendUnavailable, "the service fails or throttles"
			}
			wantError(t, code, s.ExplainCode(code), wantCode, reason)
			wantError(t, code, s.Explain(fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: code, Message: marker})), wantCode, reason)
		}
	}
	s := Service{Name: "the service", Permanent: own, Code: verification.CodeSecretUnavailable}
	wantError(t, "network", s.Explain(&net.OpError{Op: "dial", Err: errors.New(marker)}), verification.CodeBackendUnavailable, "the service is out of reach")
	if err := s.Explain(nil); err != nil {
		t.Errorf("no error: got %v", err)
	}
}
