package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// function is one function to measure in one configuration, and the floor beside it.
type function struct {
	key     string // names it on the command line
	title   string // and in tables
	about   string // what a call does
	program string // directory under functions/
	event   string // file under events/
	// payload makes of the event what makes a payload for each call; nil: every
	// call has the event as it is.
	payload   func(event []byte) (func() ([]byte, error), error)
	status    int                              // of the answer that both must give
	env       func(w *world) map[string]string // its configuration in that world
	floor     string                           // directory under testdata/floor/
	floorDoes string
	floorEnv  func(w *world) map[string]string
	callers   int // how many concurrent cold callers share what is read and bought once; 0: not measured
	bounds    map[string]bound
	lambdaCPU string // processor of the binary whose size counts
}

// bound is how large a figure may be; it is named by the figure's key.
type bound struct {
	text    string
	ofFloor float64 // this many times the floor, and
	most    float64 // so much beside, in the figure's unit, or
	exactly float64 // this and nothing else
}

// The distances at which everything is measured: round trips to Didit and to AWS.
var (
	far  = distance{key: "far", didit: 40 * time.Millisecond, aws: 2 * time.Millisecond}
	near = distance{key: "near"}
)

type distance struct {
	key        string
	didit, aws time.Duration
}

func (d distance) String() string {
	if d.didit == 0 && d.aws == 0 {
		return "no round trip"
	}
	return fmt.Sprintf("round trip %g ms to Didit, %g ms to AWS", milliseconds(d.didit), milliseconds(d.aws))
}

// selected are the functions of those keys, comma-separated, in the order in
// which they are listed here; an empty text selects all.
func selected(all []function, keys string) ([]function, error) {
	if keys == "" {
		return all, nil
	}
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
