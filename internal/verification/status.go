package verification

// Statuses of a session, in Didit's words (Didit: Verification statuses). Didit adds to them; an
// unknown status is passed on as it is and counts as not final.
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

// Final reports whether the end user can do nothing more in a session of that status. A reviewer at
// Didit may still change it later.
func Final(status string) bool {
	switch status {
	case StatusApproved, StatusDeclined, StatusKYCExpired, StatusExpired, StatusAbandoned:
		return true
	default:
		return false
	}
}

// Next is what an app should do about a session.
type Next string

// The steps that an app can take.
const (
	NextVerify   Next = "verify"   // send the end user to the session's URL; creating again gives the same one
	NextWait     Next = "wait"     // ask again later
	NextVerified Next = "verified" // go on
	NextRejected Next = "rejected" // the end user did not pass
	NextRetry    Next = "retry"    // create a new session
)

// NextOf returns what an app should do at a status: for an unknown one, and for Awaiting User,
// where a business waits for its people, wait.
func NextOf(status string) Next {
	switch status {
	case StatusNotStarted, StatusInProgress, StatusResubmitted:
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
