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
		{StatusAwaitingUser, NextVerify, false},
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
