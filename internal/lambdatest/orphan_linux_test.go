package lambdatest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
)

// orphanOf makes the test binary a parent that is killed while the function
// binary that it names runs.
const orphanOf = "LAMBDATEST_ORPHAN_OF"

func leaveBehind(binary string) {
	fn, err := lambdatest.Start(context.Background(), lambdatest.Options{Binary: binary})
	if err == nil {
		_, err = fn.Invoke(context.Background(), []byte("1"))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(fn.PID())
	self, _ := os.FindProcess(os.Getpid())
	self.Kill()
	select {}
}

func TestFunction_diesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(patience(t), os.Args[0])
	parent.Env = append(os.Environ(), orphanOf+"="+echo)
	output, _ := parent.Output()
	pid := strings.TrimSpace(string(output))
	if parent.ProcessState.ExitCode() != -1 || pid == "" {
		t.Fatalf("the parent ended with %v: %s", parent.ProcessState, output)
	}
	for ctx := patience(t); alive(pid); {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("process %s outlives its parent", pid)
		}
	}
}

// alive reports whether the process is there and more than an unburied entry in the process table.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	return !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" Z"))
}
