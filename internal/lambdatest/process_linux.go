package lambdatest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// processAttributes make the process a group leader, so that all its children can be signalled, and
// end it with this process.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped reports whether every thread of the child pid has stopped. It leaves the state in place
// (WNOWAIT), because another goroutine waits for the exit of the process.
func stopped(pid int) bool {
	const (
		byPID   = 1 // P_PID
		options = syscall.WSTOPPED | syscall.WNOHANG | syscall.WNOWAIT
	)
	// siginfo_t has 128 bytes on every architecture. It begins with si_signo, which stays 0 if
	// there is nothing to report.
	var info [32]int32
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(pid), uintptr(unsafe.Pointer(&info)), options, 0, 0)
	return errno == 0 && info[0] != 0
}

// liveUsage reads from /proc what the running process has used (proc(5)).
func liveUsage(pid int) (u Usage) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, found := bytes.Cut(status, []byte("\nVmHWM:")); found {
		_, _ = fmt.Sscan(string(rest), &u.PeakMemory)
		u.PeakMemory <<= 10
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The second field is the program's name, which may contain spaces and parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) > 12 {
		u.UserCPU, u.SystemCPU = ticks(fields[11]), ticks(fields[12])
	}
	return u
}

// ticks converts clock ticks, of which user space sees 100 a second on every architecture.
func ticks(s string) time.Duration {
	n, _ := strconv.ParseInt(s, 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}
