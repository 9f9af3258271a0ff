package main

import "golang.org/x/sys/unix"

// discardInput drops what was typed and not read.
func discardInput(fd int) {
	const input = 1 // FREAD of sys/fcntl.h
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, input)
}

// hideInput stops the echo of what is typed.
func hideInput(fd int) {
	if state, err := unix.IoctlGetTermios(fd, unix.TIOCGETA); err == nil {
		state.Lflag &^= unix.ECHO
		_ = unix.IoctlSetTermios(fd, unix.TIOCSETA, state)
	}
}
