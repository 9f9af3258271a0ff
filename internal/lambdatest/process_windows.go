package lambdatest

import (
	"errors"
	"os"
	"syscall"
)

// Windows has no way to freeze a process, and Lambda no Windows: functions do
// not run here, but the module still compiles.

const (
	sigTerm = syscall.SIGTERM
	sigKill = syscall.SIGKILL
	sigStop = syscall.Signal(19)
	sigCont = syscall.Signal(18)
)

func processAttributes() *syscall.SysProcAttr { return nil }

func signalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

func readNow(uintptr, []byte) (n int, again bool) { return 0, false }

func exitPeak(*os.ProcessState) int64 { return 0 }

func stopped(int) bool { return true }

func liveUsage(int) (Usage, error) { return Usage{}, errors.ErrUnsupported }
