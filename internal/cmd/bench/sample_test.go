package main

import "testing"

func TestSample(t *testing.T) {
	t.Parallel()
	hundred := make(sample, 0, 100)
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for _, tt := range []struct {
		name                  string
		sample                sample
		median, p50, p99, all float64
	}{
		{"none", nil, 0, 0, 0, 0},
		{"one", sample{7}, 7, 7, 7, 7},
		{"two", sample{4, 2}, 3, 2, 4, 4},
		{"three out of order", sample{9, 1, 5}, 5, 5, 9, 9},
		{"four out of order", sample{8, 1, 3, 2}, 2.5, 2, 8, 8},
		{"equal", sample{5, 5, 5}, 5, 5, 5, 5},
		{"a hundred falling", hundred, 50.5, 50, 99, 100},
		{"one slow in 101", append(sample{1000}, hundred...), 51, 51, 100, 1000},
	} {
		before := append(sample(nil), tt.sample...)
		if got := tt.sample.median(); got != tt.median {
			t.Errorf("%s: median %g, want %g", tt.name, got, tt.median)
		}
		for p, want := range map[float64]float64{50: tt.p50, 99: tt.p99, 100: tt.all} {
			if got := tt.sample.percentile(p); got != want {
				t.Errorf("%s: percentile(%g) = %g, want %g", tt.name, p, got, want)
			}
		}
		for i, value := range before {
			if tt.sample[i] != value {
				t.Errorf("%s: the sample was reordered to %v", tt.name, tt.sample)
			}
		}
	}
}
