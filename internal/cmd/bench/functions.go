package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// function is one function to measure in one configuration, and the floor beside it.
type function struct {
	key     string // on the command line
	name    string // of its benchmarks
	label   string // in the table of internal/README.md
	program string // directory under functions/
	event   string // file under events/
	// payload returns, for the event, what makes the payload of each call; nil: each call has the
	// event as it is.
	payload   func(event []byte) (func() ([]byte, error), error)
	only      string // measure cold starts or warm calls alone, far: "cold" or "warm"; empty: everything
	recording bool   // TABLE_NAME is set
	servers   bool   // callers are trusted servers, not signed-in users
	apiKey    bool   // the secret holds an API key instead of client credentials
	shared    bool   // every process but the first finds the access token in the table
	floor     string // directory under testdata/floor/
	callers   int    // how many concurrent cold callers share one read of the secret and one token; 0: not measured
	bounds    map[string]bound
}

// bound is the largest value that a figure may have: ofFloor times the floor's, plus most, plus the
// function's own warm call; or exactly the value of that name. Bounds are keyed by benchmark and
// unit.
type bound struct {
	text    string
	ofFloor float64
	ofWarm  bool
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
		key: "createsession", name: "CreateSession", label: "`createsession`, not recording", // one request to Didit and no other
		program: "createsession", event: "createsession-http-full.json",
		floor: "createsession", callers: 200,
		bounds: with(everyBound, callersBound, map[string]bound{
			"far/cold ms/op":  nothingShared,
			"far/warm ms/op":  {text: "1.03 × floor", ofFloor: 1.03},
			"near/warm ms/op": {text: "1.1 × floor", ofFloor: 1.1},
		}),
	}, {
		key: "createsession-recording", name: "CreateSessionRecording", label: "`createsession`, trusted door", // as it is deployed
		program: "createsession", event: "createsession-http-iam.json", recording: true, servers: true,
		floor: "createsession", callers: 200,
		bounds: with(everyBound, callersBound, map[string]bound{
			"far/cold ms/op": nothingShared,
			"far/warm ms/op": {text: "1.03 × floor + 1 round trip to AWS + 1 ms", ofFloor: 1.03, most: milliseconds(far.aws) + 1},
		}),
	}, {
		key: "createsession-shared", name: "CreateSessionShared", label: "`createsession`, trusted door, another instance's token in the table",
		program: "createsession", event: "createsession-http-iam.json", only: "cold", recording: true, servers: true, shared: true,
		floor:  "createsession",
		bounds: map[string]bound{"far/cold ms/op": {text: "1.1 × floor", ofFloor: 1.1}},
	}, {
		key: "createsession-apikey", name: "CreateSessionAPIKey", label: "`createsession`, trusted door, API key",
		program: "createsession", event: "createsession-http-iam.json", only: "cold", recording: true, servers: true, apiKey: true,
		floor:  "createsession",
		bounds: map[string]bound{"far/cold ms/op": {text: "3 round trips + 30 ms", most: milliseconds(3*far.didit) + 30}},
	}, {
		key: "createsession-user", name: "CreateSessionUser", label: "`createsession`, signed-in user",
		program: "createsession", event: "createsession-http-minimal.json", payload: asAnotherUser, only: "warm", recording: true,
		floor: "createsession-user", // queries as well, so the bound is that of the trusted door and a bare query
		bounds: map[string]bound{"far/warm ms/op": {
			text: "1.03 × floor, which queries too, + 1 round trip to AWS + 1 ms", ofFloor: 1.03, most: milliseconds(far.aws) + 1}},
	}, {
		// A signed delivery of 40 KiB, of a session on record. The floor has the secret.
		key: "webhook", name: "Webhook", label: "`webhook`, 40 KiB",
		program: "webhook", event: "webhook-http-approved.json", payload: deliveries, recording: true,
		floor:  "webhook",
		bounds: with(everyBound, map[string]bound{"near/warm ms/op": {text: "1.4 × floor", ofFloor: 1.4}}),
	}, {
		// An Approved session of the caller's, from the table alone.
		key: "getsession", name: "GetSession", label: "`getsession`",
		program: "getsession", event: "getsession-http-one.json", recording: true,
		floor:  "getsession",
		bounds: everyBound,
	},
}

var nothingShared = bound{text: "4 round trips + 30 ms", most: milliseconds(4*far.didit) + 30}

// everyBound has the bounds of all functions that are measured whole.
var everyBound = map[string]bound{
	"far/first ms/op":      {text: "its warm call + 4 ms", ofWarm: true, most: 4},
	"init/down added-ms":   {text: "2 s", most: 2000},
	"init/silent added-ms": {text: "2 s", most: 2000},
	"binary lambda-MB":     {text: "13 MB", most: 13},
	"near/warm peak-MiB":   {text: "22 MiB", most: 22},
}

var callersBound = map[string]bound{
	"concurrent secret-reads":   {text: "exactly 1", exactly: 1},
	"concurrent token-requests": {text: "exactly 1", exactly: 1},
}

func with(all ...map[string]bound) map[string]bound {
	bounds := map[string]bound{}
	for _, more := range all {
		maps.Copy(bounds, more)
	}
	return bounds
}

// asAnotherUser replaces the user of a recorded request, who has a verified session in every world.
func asAnotherUser(event []byte) (func() ([]byte, error), error) {
	replaced := bytes.ReplaceAll(event, []byte(recordedOwner), []byte("user-456"))
	return func() ([]byte, error) { return replaced, nil }, nil
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
