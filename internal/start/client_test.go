package start

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Ensure that a connection is used again after a short pause, and left behind after a long one.
func TestClient_idle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		connections := 0
		c := newClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				connections++
				here, there := net.Pipe()
				t.Cleanup(func() { _ = here.Close(); _ = there.Close() })
				go func() {
					in := bufio.NewReader(there)
					for {
						if _, err := http.ReadRequest(in); err != nil {
							return
						}
						_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				}()
				return here, nil
			}
		}))
		for _, step := range []struct {
			pause time.Duration
			want  int
		}{{0, 1}, {time.Second, 1}, {29 * time.Second, 1}, {31 * time.Second, 2}, {time.Second, 2}, {time.Hour, 3}} {
			time.Sleep(step.pause)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://service.example.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			synctest.Wait()
			if connections != step.want {
				t.Errorf("after %v: got %d connections, want %d", step.pause, connections, step.want)
			}
		}
	})
}

// unlimited takes the limits off a transport that a test uses on real time: a busy machine would
// meet them.
func unlimited(tr *http.Transport) {
	tr.ResponseHeaderTimeout, tr.TLSHandshakeTimeout, tr.IdleConnTimeout = 0, 0, 0
}

// Ensure that HTTP/1.1 is spoken with a service that offers more.
func TestClient_protocol(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})).WithTransportOptions(unlimited)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, _ := io.ReadAll(response.Body); string(got) != "HTTP/1.1" {
		t.Errorf("got %s", got)
	}
}

// Ensure that an attempt which gets no answer leaves time for another one.
func TestClient_silence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer func() { _ = there.Close() }()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		c := newClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return here, nil }
		}))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://service.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.Do(r)
		timeout, ok := errors.AsType[net.Error](err)
		if took := time.Since(start); took != maxAnswerWait || !ok || !timeout.Timeout() {
			t.Errorf("got %v after %v, want a timeout after %v", err, took, maxAnswerWait)
		}
	})
}

// countedConn counts the writes to a connection.
type countedConn struct {
	net.Conn
	writes *int
}

func (c countedConn) Write(p []byte) (int, error) { *c.writes++; return c.Conn.Write(p) }

// Ensure that the head and the body of a request are written together, whatever kind of reader the
// SDK has put the body into, and that the connection is used again although the body was closed
// before.
func TestClient_body(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writes, connections := 0, 0
		c := inMemory{newClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				connections++
				here, there := net.Pipe()
				t.Cleanup(func() { _ = here.Close(); _ = there.Close() })
				go func() {
					for in := bufio.NewReader(there); ; {
						r, err := http.ReadRequest(in)
						if err != nil {
							return
						}
						body, _ := io.ReadAll(r.Body)
						_, _ = fmt.Fprintf(there, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
					}
				}()
				return countedConn{here, &writes}, nil
			}
		}))}
		for n := 1; n <= 3; n++ {
			body := struct{ io.ReadCloser }{io.NopCloser(strings.NewReader("{}"))}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://service.example.com/", body)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = 2
			response, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			synctest.Wait()
			if string(got) != "{}" || err != nil || writes != n || connections != 1 {
				t.Errorf("request %d: got %q, %v, %d writes over %d connections, want {}, %d over 1", n, got, err, writes, connections, n)
			}
		}
	})
}

// Ensure that pauses between attempts suit a caller who waits.
func TestPatient(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_RETRY_MODE", "")
	c, err := AWS(t.Context())
	if err != nil || c.Retryer == nil {
		t.Fatalf("got error %v, a retryer %t, want one", err, c.Retryer != nil)
	}
	r := c.Retryer()
	for attempt := 1; attempt < 10; attempt++ {
		if d, err := r.RetryDelay(attempt, errors.New("x")); err != nil || d > maxBackoff {
			t.Errorf("attempt %d: got %v, %v, want at most %v", attempt, d, err, maxBackoff)
		}
	}
}

// Ensure that the SDK's variables keep their meaning.
func TestAWS(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_MAX_ATTEMPTS", "7")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "")
	c, err := AWS(t.Context())
	if err != nil || c.Region != "eu-west-1" || c.RetryMaxAttempts != 7 {
		t.Errorf("got region %q, %d attempts, error %v", c.Region, c.RetryMaxAttempts, err)
	}
	if b, ok := c.HTTPClient.(inMemory); !ok || b.GetTransport().IdleConnTimeout != maxIdle {
		t.Errorf("got the HTTP client %T", c.HTTPClient)
	}
	t.Setenv("AWS_MAX_ATTEMPTS", "many")
	if _, err := AWS(t.Context()); err == nil {
		t.Error("AWS_MAX_ATTEMPTS=many: got no error")
	}
	t.Setenv("AWS_MAX_ATTEMPTS", "7")
	t.Setenv("AWS_RETRY_MODE", "adaptive")
	if c, err = AWS(t.Context()); err != nil || c.Retryer != nil {
		t.Errorf("adaptive: the retryer is overruled, error %v", err)
	}
}
