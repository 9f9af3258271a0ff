//go:build unix

package didit

import (
	"net"
	"testing"
)

// A connection that its peer has ended or reset counts as closed, once the news has arrived, and an
// open one does not.
func TestClosedByPeer(t *testing.T) {
	t.Parallel()
	for name, linger := range map[string]int{"end": -1, "reset": 0} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		peer, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if closedByPeer(conn) {
			t.Errorf("%s: got closed before it was", name)
		}
		_ = peer.(*net.TCPConn).SetLinger(linger)
		_ = peer.Close()
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: read %d bytes, want the end", name, n)
		}
		if !closedByPeer(conn) {
			t.Errorf("%s: got open, want closed", name)
		}
	}
}
