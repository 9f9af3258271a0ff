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

// shortest is less than the shortest time limit of a function: that of the shared token.
const shortest = 290 * time.Millisecond

// Unhurried returns the first result that no time limit of the function explains: one that met
// says is none, or one that came sooner than any limit ends. On a busy machine a function may meet
// one, so attempt must begin with a new world each time. After ten attempts it returns the last
// result.
func Unhurried[T any](met func(T) bool, attempt func() T) (result T) {
	for range 10 {
		begin := time.Now()
		if result = attempt(); !met(result) || time.Since(begin) < shortest {
			break
		}
	}
	return result
}
