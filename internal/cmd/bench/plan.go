package main

import "time"

// plan says how much is measured.
type plan struct {
	Runs   int `json:"runs"`   // starts of each kind and distance
	Rounds int `json:"rounds"` // processes of each side whose warm calls are put together

	// Calls of each round, without those before that only warm up.
	FarCalls  int `json:"far_calls"`
	NearCalls int `json:"near_calls"`

	limit time.Duration // of each function, building apart

	// minShare of a processor goes to every memory size, so that a test meets no limit of the product.
	minShare float64
}

var (
	full  = plan{Runs: 21, Rounds: 3, FarCalls: 100, NearCalls: 700, limit: 3 * time.Minute}
	brief = plan{Runs: 3, Rounds: 1, FarCalls: 25, NearCalls: 500, limit: time.Minute}
)

// withRuns is the plan with another number of starts, and time for them.
func (p plan) withRuns(runs int) plan {
	const pairsOfStarts = 4 * time.Second // both sides, both kinds, both distances, with room
	p.limit += time.Duration(max(0, runs-p.Runs)) * pairsOfStarts
	p.Runs = runs
	return p
}

func (p plan) calls(d distance) int {
	if d == far {
		return p.FarCalls
	}
	return p.NearCalls
}
