//go:build !unix

package didit

import "net"

// The state of a connection cannot be known on this system. A request on a dead one fails, and is
// sent again if that is safe.

func watch(conn net.Conn, err error) (net.Conn, error) { return conn, err }
func closedBeforeUse(net.Conn) bool                    { return false }
func closedWhileIdle(net.Conn) bool                    { return false }
