//go:build unix

package didit

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// socketState is what can be known of an idle connection without waiting.
type socketState int

const (
	socketQuiet  socketState = iota
	socketUnread             // something came and was not read yet
	socketEnded
)

// stateOf looks at a socket.
func stateOf(raw syscall.RawConn) (state socketState) {
	err := raw.Control(func(fd uintptr) {
		var one [1]byte
		switch n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT); {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err == nil && n > 0:
			state = socketUnread
		default:
			state = socketEnded
		}
	})
	if err != nil {
		return socketEnded
	}
	return state
}

// watchedConn is a connection of which is known whether all that came was processed: only TLS can
// tell a session ticket, which servers may send at any time, from the close_notify that ends the
// connection. It is a [net.Conn] without a socket of its own, so that the methods of [net.TCPConn]
// that read do not go past it.
type watchedConn struct {
	net.Conn
	raw syscall.RawConn

	mu      sync.Mutex
	waiting bool          // a Read has found nothing, and waits
	peeking bool          // a Read that finds nothing is to return
	changed chan struct{} // closed, and replaced, when one of these changes, and at the end
}

// watch returns the connection watched, if it has a socket.
func watch(conn net.Conn, err error) (net.Conn, error) {
	socket, ok := conn.(syscall.Conn)
	if err != nil || !ok {
		return conn, err
	}
	raw, err := socket.SyscallConn()
	return &watchedConn{Conn: conn, raw: raw, changed: make(chan struct{})}, err
}

func (c *watchedConn) Close() error {
	defer c.change(func() {})
	return c.Conn.Close()
}

// change changes the fields, and wakes up who waits for that.
func (c *watchedConn) change(fields func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fields()
	close(c.changed)
	c.changed = make(chan struct{})
}

// errNothing is the error of a Read that would have to wait. It is a time-out, after which
// crypto/tls can go on reading.
type errNothing struct{}

func (errNothing) Error() string   { return "nothing to read" }
func (errNothing) Timeout() bool   { return true }
func (errNothing) Temporary() bool { return true }

// Read reads under the lock, so that nothing is taken from the socket between two looks at it and
// at waiting.
func (c *watchedConn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	waitErr := c.raw.Read(func(fd uintptr) bool {
		c.change(func() {
			n, err = syscall.Read(int(fd), p)
			c.waiting = err == syscall.EAGAIN || err == syscall.EINTR
			if c.waiting && c.peeking {
				c.waiting, err = false, errNothing{}
			}
		})
		return !c.waiting
	})
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err == nil && n == 0:
		return 0, io.EOF
	case err != nil && !errors.Is(err, errNothing{}):
		return 0, &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	}
	return max(n, 0), err
}

// closedBeforeUse reports, without waiting, whether the peer has ended a connection that was not
// used yet and that nothing reads.
func closedBeforeUse(conn net.Conn) bool {
	c, ok := netConn(conn).(*watchedConn)
	secured, isTLS := conn.(*tls.Conn)
	if !ok || !isTLS {
		return ended(conn)
	}
	c.change(func() { c.peeking = true })
	defer c.change(func() { c.peeking = false })
	_, err := secured.Read(make([]byte, 1))
	return !errors.Is(err, errNothing{})
}

// maxProcessing is how long a reader that was woken up may take for what came.
const maxProcessing = 100 * time.Millisecond

// closedWhileIdle reports whether the peer has ended an idle connection on which net/http waits for
// its end. It waits only for what came meanwhile to be processed.
func closedWhileIdle(conn net.Conn) bool {
	c, ok := netConn(conn).(*watchedConn)
	if _, isTLS := conn.(*tls.Conn); !ok || !isTLS {
		return ended(conn)
	}
	timeout := time.NewTimer(maxProcessing)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		state, waiting, changed := stateOf(c.raw), c.waiting, c.changed
		c.mu.Unlock()
		switch {
		case state == socketEnded:
			return true
		case state == socketQuiet && waiting:
			return false
		}
		select {
		case <-changed:
		case <-timeout.C:
			return true
		}
	}
}

// ended reports whether something came on a connection that should be silent, or its end.
func ended(conn net.Conn) bool {
	conn = netConn(conn)
	if c, ok := conn.(*watchedConn); ok {
		return stateOf(c.raw) != socketQuiet
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	return err != nil || stateOf(raw) != socketQuiet
}
