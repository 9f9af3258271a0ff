//go:build unix

package didit

import (
	"net"
	"syscall"
)

// closedByPeer looks, without waiting, whether an idle connection has something to read: its end, a
// reset, or the farewell of TLS. Nothing else is sent to a client that has not asked.
func closedByPeer(conn net.Conn) bool {
	conn = netConn(conn)
	if tracked, ok := conn.(*trackedConn); ok {
		conn = tracked.Conn
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	// Control and not Read, which would wait for the reader that net/http keeps on the connection.
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return closed || err != nil
}
