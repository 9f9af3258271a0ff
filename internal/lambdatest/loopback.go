package lambdatest

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// serve answers on a free port of 127.0.0.1 until the returned server is
// closed, and returns the address as host:port.
func serve(handler http.Handler) (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		// Connections that faults cut or killed processes left are expected
		// here, and nobody's log should fill up with them.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go server.Serve(listener)
	return server, listener.Addr().String(), nil
}
