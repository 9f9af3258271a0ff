package didit

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// attemptLimit is the longest that one attempt may take unless the client says otherwise, so
	// that a second fits into the 30 s that API Gateway waits.
	attemptLimit = 10 * time.Second
	// shortestAttempt is the time below which another attempt is not worth its start.
	shortestAttempt = 500 * time.Millisecond
	// mostAttempts counts the first.
	mostAttempts = 2
	// longestAdvice is the longest Retry-After that is believed. Didit's longest known window
	// is 24 hours (Didit's OpenAPI 3.0.0, sandbox quota).
	longestAdvice = 7 * 24 * time.Hour
)

// outcome is how one attempt failed.
type outcome struct {
	number     int           // of the attempt, from 1
	kind       Kind          // of the failure
	status     int           // Didit's HTTP status, 0 where there was none
	advised    bool          // Didit named a time to wait
	reached    bool          // the request may have reached Didit
	repeatable bool          // a repetition cannot make a second session
	left       time.Duration // until the caller's deadline
}

// repeat decides whether a failed attempt is made again, and says why.
func (o outcome) repeat() (again bool, reason string) {
	switch {
	case o.kind != KindUnavailable && o.kind != KindTimeout:
		return false, "repeating does not change such an answer"
	case o.status >= 400 && o.status < 500:
		return false, "Didit refused"
	case o.number >= mostAttempts:
		return false, "attempts are used up"
	case o.advised:
		return false, "Didit named a time to wait, which is the caller's to keep"
	case o.left < shortestAttempt:
		return false, "no time is left"
	case !o.reached:
		return true, "nothing reached Didit"
	case o.repeatable:
		return true, "a repetition has no effect of its own"
	default:
		return false, "a session may have been created"
	}
}

// limit is how long an attempt may take: where another may follow, half of what is left, and
// never longer than longest.
func limit(number int, repeatable bool, left, longest time.Duration) time.Duration {
	if repeatable && number < mostAttempts {
		left /= 2
	}
	return min(longest, left)
}

// pause is the time between two attempts, jittered so that instances that failed together do
// not come back together.
func pause() time.Duration {
	return 50*time.Millisecond + rand.N(100*time.Millisecond)
}

// retryAfter reads the header of that name: whole seconds, or a date (RFC 9110, section
// 10.2.3). It is 0 where there is none that can be used.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	if wait <= 0 || wait > longestAdvice {
		return 0
	}
	return wait
}
