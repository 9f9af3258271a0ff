package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

func listen(address string, port int, flagName string) (net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("%s is %d; a port is between 0 and 65535", flagName, port)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		const text = "port %d is taken by another program; choose one with %s, or with make run PORT=…"
		return nil, fmt.Errorf(text, port, flagName)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

func origin(host string, l net.Listener) string {
	port := l.Addr().(*net.TCPAddr).Port
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// hosts returns the hosts under which this process and other machines reach an address. For 0.0.0.0
// and ::, these are loopback and the first address of this machine in its network.
func hosts(address string) (own, public string) {
	if ip, err := netip.ParseAddr(address); err != nil || !ip.IsUnspecified() {
		return address, address
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return "127.0.0.1", network.IP.String()
		}
	}
	return "127.0.0.1", "127.0.0.1"
}
