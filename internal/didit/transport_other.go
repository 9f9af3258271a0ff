//go:build !unix

package didit

import "net"

// closedByPeer cannot know on this system. A request on a dead connection fails, and is sent again
// if that is safe.
func closedByPeer(net.Conn) bool { return false }
