package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// Ensure that a stopped clock moves only where it is set forward.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		start := c.now()
		time.Sleep(time.Hour)
		if got := c.now().Sub(start); got != time.Hour {
			t.Errorf("an hour later: got %v, want 1h", got)
		}
		c.stop()
		time.Sleep(time.Hour)
		c.forward(time.Minute)
		if got := c.now().Sub(start); got != time.Hour+time.Minute {
			t.Errorf("stopped and set forward by a minute: got %v, want 1h1m", got)
		}
	})
}
