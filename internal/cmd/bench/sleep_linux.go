package main

import (
	"syscall"
	"time"
)

// sleepExactly keeps a thread for itself, so it is for short times.
func sleepExactly(d time.Duration) {
	left := syscall.NsecToTimespec(d.Nanoseconds())
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
