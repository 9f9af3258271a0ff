//go:build !unix

package didit

import "net"

// closedByPeer cannot look on this system; a request on a dead connection fails and is repeated
// where that is safe.
func closedByPeer(net.Conn) bool { return false }
