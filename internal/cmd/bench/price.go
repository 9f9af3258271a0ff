package main

import "math"

// What AWS asks for, in USD (AWS Lambda: Pricing, us-east-1, arm64, first tier;
// requests beyond the free ones).
const (
	dollarsPerGBSecond = 0.0000133334
	dollarsPerMillion  = 0.20 // requests
)

// fullProcessor is the memory size, in MB, that comes with one processor (AWS
// Lambda: Configure Lambda function memory). Smaller ones get their share of it.
const fullProcessor = 1769

// memorySizes are what somebody would choose among, in MB.
var memorySizes = []int{128, 256, 512}

// seldomCold is the part of calls that are cold in the middle column of prices.
const seldomCold = 0.10

// costReport is what calls cost. Assumed of AWS is that
//   - the init phase has a whole processor at every memory size, and the share of
//     one counts from the first invocation on;
//   - the init phase is billed (since August 2025), together with the call that
//     waited for it, by the started millisecond;
//   - calls come with pauses, so that each finds its whole share;
//   - this machine's processor is as fast as Lambda's.
//
// Requests to the other services, the gateway and logs are not in it.
type costReport struct {
	Machine   machine        `json:"machine"`
	Plan      plan           `json:"plan"`
	Measured  bool           `json:"measured"` // under a quota of processor time; else computed from processor time
	Why       string         `json:"why,omitempty"`
	Functions []functionCost `json:"functions"`
}

type functionCost struct {
	Key   string     `json:"key"`
	Title string     `json:"title"`
	About string     `json:"about"`
	Sizes []sizeCost `json:"sizes"`
}

// sizeCost is what calls take and cost at a memory size: medians in milliseconds,
// and USD for a million calls.
type sizeCost struct {
	Memory     int     `json:"memory"` // MB
	Init       float64 `json:"init"`
	Cold       float64 `json:"cold"` // init and first call
	WarmP50    float64 `json:"warm_p50"`
	WarmP99    float64 `json:"warm_p99"`
	BilledCold float64 `json:"billed_cold"`
	BilledWarm float64 `json:"billed_warm"`

	AllWarm    float64 `json:"usd_per_million_warm"`
	SeldomCold float64 `json:"usd_per_million_tenth_cold"`
	AllCold    float64 `json:"usd_per_million_cold"`
}

// priced sums up what was measured at a memory size.
func priced(memory int, t costTimes) sizeCost {
	c := sizeCost{
		Memory: memory, Init: t.init.median(), Cold: t.cold.median(), WarmP50: t.warm.median(), WarmP99: t.warm.percentile(99),
	}
	c.BilledCold, c.BilledWarm = math.Ceil(c.Cold), math.Ceil(c.WarmP50)
	dollars := func(cold float64) float64 {
		billed := cold*c.BilledCold + (1-cold)*c.BilledWarm
		return dollarsPerMillion + billed/1000*float64(memory)/1024*dollarsPerGBSecond*1e6
	}
	c.AllWarm, c.SeldomCold, c.AllCold = dollars(0), dollars(seldomCold), dollars(1)
	for _, figure := range []*float64{&c.Init, &c.Cold, &c.WarmP50, &c.WarmP99, &c.AllWarm, &c.SeldomCold, &c.AllCold} {
		*figure = thousandths(*figure)
	}
	return c
}

// share is the part of one processor that comes with that much memory.
func share(memory int) float64 { return min(1, float64(memory)/fullProcessor) }
