package verification

import "testing"

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status string
		next   Next
		final  bool
	}{
		{StatusNotStarted, NextVerify, false},
		{StatusInProgress, NextVerify, false},
		{StatusAwaitingUser, NextWait, false},
		{StatusResubmitted, NextVerify, false},
		{StatusInReview, NextWait, false},
		{StatusApproved, NextVerified, true},
		{StatusDeclined, NextRejected, true},
		{StatusExpired, NextRetry, true},
		{StatusAbandoned, NextRetry, true},
		{StatusKYCExpired, NextRetry, true},
		// Didit's words are kept letter for letter.
		{"approved", NextWait, false},
		{"KYC Expired", NextWait, false},
		{" Approved", NextWait, false},
		{"Under Appeal", NextWait, false},
		{"", NextWait, false},
	} {
		if next, final := NextOf(test.status), Final(test.status); next != test.next || final != test.final {
			t.Errorf("%q: got %s, final %v, want %s, final %v", test.status, next, final, test.next, test.final)
		}
		if got := (Record{Status: test.status}).Final(); got != test.final {
			t.Errorf("record with %q: got final %v, want %v", test.status, got, test.final)
		}
	}
}

// Ensure that an app retries where Didit has come to not know an unfinished session.
func TestRecord_Next_unknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status  string
		unknown int
		want    Next
	}{
		{StatusInProgress, 2, NextVerify}, {StatusInProgress, 3, NextRetry}, {StatusInReview, 3, NextRetry},
		{StatusApproved, 3, NextVerified}, {StatusDeclined, 3, NextRejected},
	} {
		if got := (Record{Status: test.status, UnknownReads: test.unknown}).Next(); got != test.want {
			t.Errorf("%s, not known %d times: got %s, want %s", test.status, test.unknown, got, test.want)
		}
	}
}
