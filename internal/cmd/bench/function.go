package main

import (
	"fmt"
	"net/http"
	"time"
)

// function is one function to measure, and the floor beside it.
type function struct {
	name      string                           // directory under functions/
	event     string                           // file under events/
	status    int                              // of the answer that both must give
	env       func(w *world) map[string]string // its configuration in that world
	floor     string                           // main package of the floor, relative to the module's root
	floorEnv  func(w *world) map[string]string
	callers   int // how many concurrent cold callers share what is read and bought once
	bounds    map[string]bound
	lambdaCPU string // processor of the binary whose size counts
}

// bound is how large a figure may be; it is named by the figure's key.
type bound struct {
	text    string
	most    float64 // in the figure's unit, or
	ofFloor float64 // this many times the floor, or
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

const workflow = "11111111-2222-3333-4444-555555555555"

// functions are all that is measured. What a further one needs beyond its line
// here is a floor that does the same call, and a world that has its upstreams.
var functions = []function{{
	name:      "createsession",
	event:     "createsession-http-full.json",
	status:    http.StatusCreated,
	lambdaCPU: "arm64",
	callers:   200,
	env: func(w *world) map[string]string {
		return map[string]string{
			"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.awsURL,
			"DIDIT_SECRET_ID":                  secretID,
			"DIDIT_AUTH_URL":                   w.authURL,
			"DIDIT_API_URL":                    w.apiURL,
			"WORKFLOW_IDS":                     workflow,
			"ALLOWED_CALLBACKS":                "https://example.com/verification",
		}
	},
	floor: "./internal/cmd/bench/testdata/floor",
	floorEnv: func(w *world) map[string]string {
		return map[string]string{"SESSION_URL": w.apiURL + "/v2/session/", "TOKEN": w.token}
	},
	bounds: map[string]bound{
		"far_cold":            {text: "<= 4 round trips + 30 ms", most: milliseconds(4*far.didit) + 30},
		"far_first":           {text: "<= 1 round trip + 9 ms", most: milliseconds(far.didit) + 9},
		"far_warm_p50":        {text: "<= 1.03 x floor", ofFloor: 1.03},
		"near_warm_p50":       {text: "<= 1.25 x floor", ofFloor: 1.25},
		"init_network_down":   {text: "<= 2 s", most: 2000},
		"init_network_silent": {text: "<= 2 s", most: 2000},
		"cold_secret_reads":   {text: "exactly 1", exactly: 1},
		"cold_token_requests": {text: "exactly 1", exactly: 1},
		"binary_lambda":       {text: "<= 13 MB", most: 13},
		"peak_memory":         {text: "<= 22 MiB", most: 22},
	},
}}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
