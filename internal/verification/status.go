package verification

import "slices"

// Statuses of a session, in Didit's own words (Didit: Verification statuses). The list grows;
// a status that is not here is passed on as it came and counts as not final.
const (
	StatusNotStarted   = "Not Started"
	StatusInProgress   = "In Progress"
	StatusAwaitingUser = "Awaiting User"
	StatusResubmitted  = "Resubmitted"
	StatusInReview     = "In Review"
	StatusApproved     = "Approved"
	StatusDeclined     = "Declined"
	StatusKYCExpired   = "Kyc Expired"
	StatusExpired      = "Expired"
	StatusAbandoned    = "Abandoned"
)

// Final reports whether the end user can do nothing more in a session of that status. A reviewer
// at Didit may still change it later.
func Final(status string) bool {
	return slices.Contains([]string{StatusApproved, StatusDeclined, StatusKYCExpired, StatusExpired, StatusAbandoned}, status)
}

// Next tells an app what to do about a session.
type Next string

// What an app can do.
const (
	NextVerify   Next = "verify"   // send the end user to the session's URL; creating again gives the same one
	NextWait     Next = "wait"     // ask again later
	NextVerified Next = "verified" // go on
	NextRejected Next = "rejected" // the end user did not pass
	NextRetry    Next = "retry"    // create a new session
)

// NextOf is what to do at a status; for one that nobody knows, to wait.
func NextOf(status string) Next {
	switch status {
	case StatusNotStarted, StatusInProgress, StatusAwaitingUser, StatusResubmitted:
		return NextVerify
	case StatusApproved:
		return NextVerified
	case StatusDeclined:
		return NextRejected
	case StatusExpired, StatusAbandoned, StatusKYCExpired:
		return NextRetry
	default:
		return NextWait
	}
}
