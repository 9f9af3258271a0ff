package main

import (
	"syscall"
	"time"
)

// sleepExactly occupies a thread, so it is for short times.
func sleepExactly(d time.Duration) {
	left := syscall.NsecToTimespec(d.Nanoseconds())
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
