package main

import (
	"math"
	"slices"
	"time"
)

// sample is a quantity measured several times, in any order.
type sample []float64

// samples are quantities by benchmark and unit, such as "far/cold ms/op".
type samples map[string]sample

func (s samples) add(key string, value float64) { s[key] = append(s[key], value) }

func (s samples) addTime(benchmark string, d time.Duration) {
	s.add(benchmark+" ms/op", milliseconds(d))
}

// median is the middle value, or the mean of the two in the middle; 0 for none.
func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the smallest value that at least p percent of all do not exceed (the nearest rank);
// p is more than 0 and at most 100. It is 0 for none.
func (s sample) percentile(p float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}
