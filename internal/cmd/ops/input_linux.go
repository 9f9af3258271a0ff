package main

import "golang.org/x/sys/unix"

// discardInput drops what was typed and not read.
func discardInput(fd int) { _ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) }

// hideInput stops the echo of what is typed.
func hideInput(fd int) {
	if state, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		state.Lflag &^= unix.ECHO
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, state)
	}
}
