package didit

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAttemptTime lets a second attempt fit into the 30 s that API Gateway waits, unless the
	// client says otherwise.
	maxAttemptTime = 10 * time.Second
	// minAttemptTime is the time below which another attempt is not worth its start.
	minAttemptTime = 500 * time.Millisecond
	// maxAttempts includes the first.
	maxAttempts = 2
	// maxRetryAfter is the longest Retry-After that is believed. Didit's longest known window is 24
	// hours (Didit's OpenAPI 3.0.0, sandbox quota).
	maxRetryAfter = 7 * 24 * time.Hour
)

// failedAttempt is what decides about another attempt.
type failedAttempt struct {
	number    int           // from 1
	kind      Kind          // of the failure
	status    int           // Didit's HTTP status, 0 if there was none
	advised   bool          // Didit named a time to wait
	reached   bool          // the request may have reached Didit
	retryable bool          // a second request cannot create a second session
	left      time.Duration // until the caller's deadline
}

// mayRetry reports whether the request may be sent again.
func (f failedAttempt) mayRetry() bool {
	switch {
	case f.kind != KindUnavailable && f.kind != KindTimeout: // a retry does not change such an answer
		return false
	case f.status >= 400 && f.status < 500: // an unreadable refusal
		return false
	case f.advised: // the time that Didit named is for the caller to wait
		return false
	case f.number >= maxAttempts || f.left < minAttemptTime:
		return false
	default:
		return f.retryable || !f.reached
	}
}

// attemptTimeout returns how long an attempt may take: if another may follow, half of what is left,
// and never longer than maxTime.
func attemptTimeout(number int, retryable bool, left, maxTime time.Duration) time.Duration {
	if retryable && number < maxAttempts {
		left /= 2
	}
	return min(maxTime, left)
}

// pause returns the time between two attempts, with jitter, so that instances that failed together
// do not retry together.
func pause() time.Duration {
	return 50*time.Millisecond + rand.N(100*time.Millisecond)
}

// retryAfter reads the header of that name: whole seconds, or a date (RFC 9110, section 10.2.3). It
// returns 0 if there is none that can be used.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	if wait <= 0 || wait > maxRetryAfter {
		return 0
	}
	return wait
}
