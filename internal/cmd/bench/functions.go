package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// function is one function to measure in one configuration, and the floor beside it.
type function struct {
	key     string // on the command line
	name    string // of its benchmarks
	program string // directory under functions/
	event   string // file under events/
	// payload returns, for the event, what makes the payload of each call; nil: each call has the
	// event as it is.
	payload   func(event []byte) (func() ([]byte, error), error)
	recording bool   // TABLE_NAME is set
	floor     string // directory under testdata/floor/
	callers   int    // how many concurrent cold callers share one read of the secret and one token; 0: not measured
	bounds    map[string]bound
}

// bound is the largest value that a figure may have: ofFloor times the floor's, plus most; or
// exactly the value of that name. Bounds are keyed by benchmark and unit.
type bound struct {
	text    string
	ofFloor float64
	most    float64 // in the figure's unit
	exactly float64
}

// distance is a pair of round trips. Everything is measured at both distances.
type distance struct {
	name       string
	didit, aws time.Duration
}

var (
	far  = distance{name: "far", didit: 40 * time.Millisecond, aws: 2 * time.Millisecond}
	near = distance{name: "near"}
)

// functions are all that is measured. A further one needs an entry here, and a floor that makes the
// same calls.
var functions = []function{
	{
		key: "createsession", name: "CreateSession", // not recording: one request to Didit and no other
		program: "createsession", event: "createsession-http-full.json",
		floor: "createsession", callers: 200,
		bounds: withCreateBounds(map[string]bound{
			"far/first ms/op": {text: "1 round trip + 9 ms", most: milliseconds(far.didit) + 9},
			"far/warm ms/op":  {text: "1.03 x floor", ofFloor: 1.03},
			"near/warm ms/op": {text: "1.1 x floor", ofFloor: 1.1},
		}),
	}, {
		key: "createsession-recording", name: "CreateSessionRecording", // as it is deployed
		program: "createsession", event: "createsession-http-full.json", recording: true,
		floor: "createsession", callers: 200,
		bounds: withCreateBounds(map[string]bound{
			"far/first ms/op": {text: "1 round trip + 1 to AWS + 9 ms", most: milliseconds(far.didit+far.aws) + 9},
			"far/warm ms/op":  {text: "1.03 x floor + 1 to AWS + 1 ms", ofFloor: 1.03, most: milliseconds(far.aws) + 1},
		}),
	}, {
		// A signed delivery of 40 KiB, of a session on record. The function reads the secret on its
		// first call; the floor has it.
		key: "webhook", name: "Webhook",
		program: "webhook", event: "webhook-http-approved.json", payload: deliveries, recording: true,
		floor: "webhook",
		bounds: map[string]bound{
			"near/warm ms/op":    {text: "1.4 x floor", ofFloor: 1.4},
			"near/warm peak-MiB": {text: "25 MiB", most: 25},
		},
	}, {
		// An Approved session of the caller's, from the table alone.
		key: "getsession", name: "GetSession",
		program: "getsession", event: "getsession-http-one.json", recording: true,
		floor: "getsession",
	},
}

// withCreateBounds adds the bounds of createsession that hold with and without a table.
func withCreateBounds(bounds map[string]bound) map[string]bound {
	bounds["far/cold ms/op"] = bound{text: "4 round trips + 30 ms", most: milliseconds(4*far.didit) + 30}
	bounds["init/down added-ms"] = bound{text: "2 s", most: 2000}
	bounds["init/silent added-ms"] = bound{text: "2 s", most: 2000}
	bounds["concurrent secret-reads"] = bound{text: "exactly 1", exactly: 1}
	bounds["concurrent token-requests"] = bound{text: "exactly 1", exactly: 1}
	bounds["binary lambda-MB"] = bound{text: "11 MB", most: 11}
	bounds["near/warm peak-MiB"] = bound{text: "22 MiB", most: 22}
	return bounds
}

// selectFunctions returns the functions with those comma-separated keys, in the order of all.
func selectFunctions(all []function, keys string) ([]function, error) {
	var known []string
	for _, f := range all {
		known = append(known, f.key)
	}
	wanted := strings.Split(keys, ",")
	for _, key := range wanted {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("no function %q; there are %s", key, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(f function) bool { return !slices.Contains(wanted, f.key) }), nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
