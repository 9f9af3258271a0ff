package main

import "golang.org/x/sys/unix"

// discardInput drops what was typed and not read.
func discardInput(fd int) {
	const input = 1 // FREAD of sys/fcntl.h
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, input)
}
