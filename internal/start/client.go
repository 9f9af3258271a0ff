package start

import (
	"crypto/tls"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// keptFor is the longest time that a connection to AWS is left alone and then used again. While a
	// process is frozen its connections may be dropped by what lies between, without a word, and the
	// timers that would close them stand still.
	keptFor = 30 * time.Second
	// answerLimit ends an attempt on a connection that is dead all the same, in time for another one.
	answerLimit = 1500 * time.Millisecond
	// longestBackoff is the longest pause between two attempts. Callers wait for seconds, not for the
	// 20 s of the SDK.
	longestBackoff = 300 * time.Millisecond
)

// client is an HTTP client that opens new connections after a freeze. It is safe for concurrent use.
type client struct {
	base *awshttp.BuildableClient
	now  func() time.Time // nil means [time.Now]

	mu      sync.Mutex
	current aws.HTTPClient
	used    time.Time // without a monotonic part, which stands still in a frozen process
}

// newClient keeps the settings of the SDK's client.
func newClient(base *awshttp.BuildableClient) *client {
	return &client{base: base.WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = answerLimit
		// One request at a time needs no multiplexing, and HTTP/1.1 takes less of the processor.
		t.ForceAttemptHTTP2 = false
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		if t.TLSClientConfig != nil {
			t.TLSClientConfig.NextProtos = nil
		}
	})}
}

// Do sends the request.
func (c *client) Do(r *http.Request) (*http.Response, error) { return c.living().Do(r) }

// living returns the client to use now. The one that is left behind has no request under way that
// would miss it; its connections end with its idle timeout.
func (c *client) living() aws.HTTPClient {
	now := time.Now
	if c.now != nil {
		now = c.now
	}
	wall := now().Round(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || wall.Sub(c.used) > keptFor {
		c.current = c.base.WithTransportOptions()
	}
	c.used = wall
	return c.current
}

// patient is the SDK's standard retryer with pauses that suit a caller who waits. How often it tries
// is left to AWS_MAX_ATTEMPTS.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = longestBackoff })
}
