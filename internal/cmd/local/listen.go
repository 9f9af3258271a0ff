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
		return nil, fmt.Errorf("%s is %d; a port lies between 0 and 65535", flagName, port)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is taken by another program; choose one with %s (make run PORT=…)", port, flagName)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

func origin(host string, l net.Listener) string {
	port := l.Addr().(*net.TCPAddr).Port
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// urlHost is the host under which others reach the address: for 0.0.0.0 and ::, this machine's
// first address in its network.
func urlHost(address string) string {
	if ip, err := netip.ParseAddr(address); err != nil || !ip.IsUnspecified() {
		return address
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	return "127.0.0.1"
}

// loopbackOf is the address at which this process reaches itself.
func loopbackOf(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return address
}
