//go:build unix

package didit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
)

// connect returns both ends of a connection over a real socket, the client's watched.
func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if client, err = dialWatched(t.Context(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}

// waitUnread waits until something has come.
func waitUnread(t *testing.T, conn net.Conn) {
	t.Helper()
	err := netConn(conn).(*watchedConn).raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN && err != syscall.EINTR
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A plain connection that its peer has ended or reset, or on which it speaks unasked, counts as
// closed once the news has arrived, and a silent one does not.
func TestClosed_plain(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(server *net.TCPConn){
		"end":   func(server *net.TCPConn) { _ = server.Close() },
		"reset": func(server *net.TCPConn) { _ = server.SetLinger(0); _ = server.Close() },
		"bytes": func(server *net.TCPConn) { _, _ = io.WriteString(server, "HTTP/1.1 408 Request Timeout\r\n\r\n") },
	} {
		client, server := connect(t)
		for _, conn := range []net.Conn{client, client.(*watchedConn).Conn} {
			if closedBeforeUse(conn) || closedWhileIdle(conn) {
				t.Errorf("%s: got %T closed before it was", name, conn)
			}
		}
		end(server.(*net.TCPConn))
		waitUnread(t, client)
		for _, conn := range []net.Conn{client, client.(*watchedConn).Conn} {
			if !closedBeforeUse(conn) || !closedWhileIdle(conn) {
				t.Errorf("%s: got %T open, want closed", name, conn)
			}
		}
	}
}

// Reading a watched connection is as reading the one below it.
func TestWatchedConn_Read(t *testing.T) {
	t.Parallel()
	client, server := connect(t)
	if _, err := io.WriteString(server, "abc"); err != nil {
		t.Fatal(err)
	}
	two := make([]byte, 2)
	for _, want := range []string{"ab", "c"} {
		if n, err := client.Read(two); err != nil || string(two[:n]) != want {
			t.Errorf("got %q, %v, want %q", two[:n], err, want)
		}
	}
	if n, err := client.Read(nil); n != 0 || err != nil {
		t.Errorf("nothing: got %d, %v", n, err)
	}
	_ = server.Close()
	if n, err := client.Read(two); n != 0 || err != io.EOF {
		t.Errorf("at the end: got %d, %v, want EOF", n, err)
	}
	client, server = connect(t)
	_ = server.(*net.TCPConn).SetLinger(0)
	_ = server.Close()
	if n, err := client.Read(two); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: got %d, %v, want ECONNRESET", n, err)
	}
	client, _ = connect(t)
	_ = client.Close()
	if n, err := client.Read(two); n != 0 || !errors.Is(err, net.ErrClosed) || !closedWhileIdle(client) {
		t.Errorf("closed here: got %d, %v, want that it is closed", n, err)
	}
}

// gate is a connection whose reads wait, once something was written, until it is open.
type gate struct {
	net.Conn
	written bool
	open    <-chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	if g.written {
		<-g.open
	}
	return g.Conn.Read(p)
}

func (g *gate) Write(p []byte) (int, error) {
	g.written = true
	return g.Conn.Write(p)
}

// authority has the certificate of net/http/httptest's servers.
var authority = sync.OnceValue(func() *httptest.Server {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	s.Close()
	return s
})

// secure returns the two ends of a TLS connection whose server has not finished the handshake yet:
// it does so, and sends its session tickets, when finish is called.
func secure(t *testing.T, version uint16) (client, server *tls.Conn, finish func()) {
	t.Helper()
	plain, accepted := connect(t)
	roots := x509.NewCertPool()
	roots.AddCert(authority().Certificate())
	client = tls.Client(plain, &tls.Config{RootCAs: roots, ServerName: "example.com", ClientSessionCache: tls.NewLRUClientSessionCache(1), MinVersion: version, MaxVersion: version})
	// The server does not read the client's last words. In TLS 1.2 it has the last word itself.
	open := make(chan struct{})
	openGate := sync.OnceFunc(func() { close(open) })
	if version == tls.VersionTLS12 {
		openGate()
	}
	server = tls.Server(&gate{Conn: accepted, open: open}, &tls.Config{
		Certificates: authority().TLS.Certificates, ClientAuth: tls.RequestClientCert, MinVersion: version, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return client, server, func() {
		openGate()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// Session tickets that come after the handshake are no end of a connection that was not used yet,
// and what comes after them is.
func TestClosedBeforeUse(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, end := range map[string]func(server *tls.Conn){
			"close_notify alone": func(server *tls.Conn) { _ = server.CloseWrite() },
			"close_notify":       func(server *tls.Conn) { _ = server.Close() },
			"end":                func(server *tls.Conn) { _ = server.NetConn().Close() },
			"bytes":              func(server *tls.Conn) { _, _ = io.WriteString(server, "HTTP/1.1 408 Request Timeout\r\n\r\n") },
		} {
			client, server, finish := secure(t, version)
			if closedBeforeUse(client) {
				t.Errorf("%#x, %s: got closed before anything came", version, name)
			}
			finish()
			if version == tls.VersionTLS13 {
				waitUnread(t, client)
			}
			for range 2 {
				if closedBeforeUse(client) {
					t.Errorf("%#x, %s: got closed after session tickets", version, name)
				}
			}
			if _, err := io.WriteString(client, "request"); err != nil {
				t.Errorf("%#x, %s: %v", version, name, err)
			}
			if n, err := server.Read(make([]byte, 10)); n != 7 {
				t.Errorf("%#x, %s: the server read %d bytes, %v, want 7", version, name, n, err)
			}
			end(server)
			waitUnread(t, client)
			if !closedBeforeUse(client) {
				t.Errorf("%#x, %s: got open, want closed", version, name)
			}
		}
	}
	// Both at once: the ticket does not hide the end.
	client, server, finish := secure(t, tls.VersionTLS13)
	finish()
	_ = server.Close()
	waitUnread(t, client)
	for !closedBeforeUse(client) { // until the end has come, too
		waitUnread(t, client)
	}
}

// On a connection that something reads, session tickets are no end either, whether they have been
// read or not; and an end is one.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(server *tls.Conn){
		"close_notify alone": func(server *tls.Conn) { _ = server.CloseWrite() },
		"close_notify":       func(server *tls.Conn) { _ = server.Close() },
		"end":                func(server *tls.Conn) { _ = server.NetConn().Close() },
	} {
		client, server, finish := secure(t, tls.VersionTLS13)
		ended := make(chan struct{})
		go func() { // as net/http does
			defer close(ended)
			_, _ = client.Read(make([]byte, 1))
			_ = client.NetConn().Close()
		}()
		if closedWhileIdle(client) {
			t.Errorf("%s: got closed before anything came", name)
		}
		watched := client.NetConn().(*watchedConn)
		look := make(chan bool)
		watched.mu.Lock() // holds back the reader
		finish()
		go func() { look <- closedWhileIdle(client) }()
		watched.mu.Unlock()
		if <-look || closedWhileIdle(client) {
			t.Errorf("%s: got closed after session tickets", name)
		}
		end(server)
		<-ended
		if !closedWhileIdle(client) {
			t.Errorf("%s: got open, want closed", name)
		}
	}
}

// A reader that is gone, or does not take what has come, makes a connection count as closed.
func TestClosedWhileIdle_noReader(t *testing.T) {
	t.Parallel()
	client, _, finish := secure(t, tls.VersionTLS13)
	if !closedWhileIdle(client) {
		t.Error("got open without a reader")
	}
	finish()
	waitUnread(t, client)
	if !closedWhileIdle(client) {
		t.Error("got open with something that nothing reads")
	}
}

// A server that is not trusted is left at once.
func TestClient_Warm_untrusted(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	left := make(chan struct{})
	go func() {
		defer close(left)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = tls.Server(conn, &tls.Config{Certificates: authority().TLS.Certificates}).Handshake()
		_, _ = io.Copy(io.Discard, conn) // until the client closes the connection
	}()
	client := &Client{Credentials: fixed(keySecret), APIURL: "https://" + listener.Addr().String(), AuthURL: "://"}
	client.Warm(t.Context())
	<-left
	if len(client.ahead.conns) != 0 {
		t.Error("got a connection to a server that is not trusted")
	}
}

// Ensure that Warm's connection is used, and used again, at a server that sends session tickets
// after the handshake, as every server of TLS 1.3 may.
func TestClient_Warm_sessionTickets(t *testing.T) {
	t.Parallel()
	for range 10 {
		fake := startFake(t, nil, reply(201, okSession))
		fake.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		fake.StartTLS()
		client := &Client{Credentials: fixed(keySecret), APIURL: fake.URL + prefix, AuthURL: "://", Now: new(clock).Now, AttemptTimeout: patience}
		client.setup()
		client.ahead.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		client.ahead.transport.TLSClientConfig.RootCAs.AddCert(fake.Certificate())
		client.Warm(t.Context())
		t.Cleanup(client.transport.(*http.Transport).CloseIdleConnections)
		client.ahead.mu.Lock()
		warm := client.ahead.conns[key(fake.URL)].Conn
		client.ahead.mu.Unlock()
		waitUnread(t, warm)
		for range 3 {
			if _, err := client.CreateSession(t.Context(), nameless); err != nil {
				t.Fatal(err)
			}
		}
		if got := fake.connections.Load(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	}
}
