//go:build unix

package didit

import (
	"net"
	"syscall"
)

// closedByPeer reports, without waiting, whether an idle connection has something to read: its end,
// a reset, or TLS's close_notify. A server sends nothing else to a client without a request.
func closedByPeer(conn net.Conn) bool {
	socket, ok := netConn(conn).(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	// Read would wait for the reader that net/http keeps on the connection.
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return closed || err != nil
}
