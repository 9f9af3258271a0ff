package stagetest

import (
	"os"
	"time"
)

// MeasuresCosts reports whether tests look at exact costs, for which the machine must be quiet:
// whether COST_TESTS is set.
func MeasuresCosts() bool { return os.Getenv("COST_TESTS") != "" }

// MaxMemory returns the bytes of memory that a process may take under that limit: twice as many
// unless costs are measured, because the garbage collector of a process that waits for a processor
// is late.
func MaxMemory(limit int64) int64 {
	if MeasuresCosts() {
		return limit
	}
	return 2 * limit
}

// Unhurried returns the first result that no time limit of the function explains: one that met
// says is none, or one that came within a second, which is less than the shortest limit. On a busy
// machine a function may meet a limit, so attempt must begin with a new world each time. After five
// attempts it returns the last result.
func Unhurried[T any](met func(T) bool, attempt func() T) (result T) {
	for range 5 {
		begin := time.Now()
		if result = attempt(); !met(result) || time.Since(begin) < time.Second {
			break
		}
	}
	return result
}
