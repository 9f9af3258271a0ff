package start

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// maxIdle is how long an idle connection may be reused. During a freeze a middlebox may drop it
	// silently. net/http measures idle time by the wall clock, so that a freeze counts.
	maxIdle = 30 * time.Second
	// maxAnswerWait ends an attempt on a connection that is dead in spite of maxIdle, in time for
	// another.
	maxAnswerWait = 1500 * time.Millisecond
	// maxBackoff is the longest pause between two attempts. The SDK's 20 s are too long for a
	// caller who is waiting.
	maxBackoff = 300 * time.Millisecond
)

// newClient returns the SDK's client with settings for a process that is frozen between requests.
func newClient(base *awshttp.BuildableClient) *awshttp.BuildableClient {
	return base.WithTransportOptions(func(t *http.Transport) {
		t.IdleConnTimeout = maxIdle
		t.ResponseHeaderTimeout = maxAnswerWait
		// One request at a time needs no multiplexing, and HTTP/1.1 takes less of the processor.
		t.ForceAttemptHTTP2 = false
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		if t.TLSClientConfig != nil {
			t.TLSClientConfig.NextProtos = nil
		}
	})
}

// inMemory passes the bodies of requests on in a form that net/http knows to be in memory. It
// writes the SDK's own form apart from the head, and drops the connection if the SDK, which has the
// answer already, closes the body before net/http does: under load that cost every twentieth
// request a new connection.
type inMemory struct{ *awshttp.BuildableClient }

// Do sends the request. Its body is read whole: those of this module are small.
func (c inMemory) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.BuildableClient.Do(r)
}

// newRetryer returns the SDK's standard retryer with short back-off, because a caller is waiting.
// The number of attempts is left to AWS_MAX_ATTEMPTS.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = maxBackoff })
}
