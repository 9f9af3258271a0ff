package verification

import (
	"context"
	"iter"
	"time"
)

// Store keeps records, and the tokens of waiting tasks. Its implementations are safe for concurrent
// use. They return an [*Error] with code backend_unavailable when they cannot be reached, and with
// internal when trying again does not help: the table is missing, denied or misused.
//
// Records that have expired count as absent, although the store may take days to delete them. Of an
// erased session only MarkErased and Strip change the record.
type Store interface {
	// Add puts a session on record, in one write. If it is on record already, its status, checks,
	// source and creation time stay as they are; an unknown owner or workflow is filled in; it counts
	// as confirmed at r.CheckedAt, is due from r.DueFrom if it was not due, and expires at r.Expires
	// if that is later. What has expired is replaced, and only stays awaited. An erased one stays as
	// it is. Add returns the record as it was before the write, and whether there was one. It may
	// return one that this call wrote, if the answer to the first attempt was lost.
	Add(ctx context.Context, r Record) (was Record, known bool, err error)
	// Enroll marks a session as awaited until r.Expires, and makes it due if it was not. It puts r on
	// record if the session is not. It does not depend on the version, and so never loses to other
	// writers. It returns what Add does.
	Enroll(ctx context.Context, r Record) (was Record, known bool, err error)
	// Record returns the record of a session as of now (no stale copy), and whether there is one. It
	// returns [ErrUnreadable] for one that another program wrote.
	Record(ctx context.Context, sessionID string) (Record, bool, error)
	// RecentRecord is Record at half the price: what was written in the last second or so may be
	// missing from what it returns.
	RecentRecord(ctx context.Context, sessionID string) (Record, bool, error)
	// Claim claims a read of the session at Didit: it sets ReadAt to the time, if the last one is at
	// least the pause ago, and changes neither version nor news. It returns the record with the claim,
	// and whether it was made; of an erased session it never is.
	Claim(ctx context.Context, sessionID string, at time.Time, pause time.Duration) (Record, bool, error)
	// Replace writes all of the record but its creation time and ReadAt, if it was not written since
	// it was read; otherwise it writes nothing and returns false. A known owner or workflow is not
	// replaced. The stored version is then r.Version+1.
	Replace(ctx context.Context, r Record) (bool, error)
	// Remove removes the record, if it was not written since it was read; otherwise it does nothing
	// and returns false.
	Remove(ctx context.Context, r Record) (bool, error)
	// ByOwner returns the latest records of an end user, newest first, max of them at most. It may lag
	// behind the records, and leaves out those that cannot be read, and erased ones.
	ByOwner(ctx context.Context, vendorData string, max int) ([]Record, error)
	// Owned lists the sessions of an end user, the erased ones included. It may lag behind the
	// records. After an error it ends.
	Owned(ctx context.Context, vendorData string) iter.Seq2[string, error]
	// MarkErased marks a session of r's owner as erased until r.Expires, whatever its record is, and
	// puts it on record if it is not. Of the record, the owner and the creation time are left, and
	// version and news grow. If r.Gone is true, the session is noted as gone from Didit. MarkErased
	// returns whether it was noted so before, and marked as false, without a write, if the session is
	// on record for another owner.
	MarkErased(ctx context.Context, r Record) (marked, gone bool, err error)
	// Strip removes all of the record of an erased session but its id, that it is erased, and when it
	// expires. It does nothing to one that is not erased.
	Strip(ctx context.Context, sessionID string) error
	// Latest returns what the list of an end user's sessions shows, newest first, max of them at most,
	// in one request: of each record only SessionID, VendorData, WorkflowID, Status, CreatedAt and
	// UnknownReads. It may lag behind the records, leaves out erased ones, and may list some that have
	// expired.
	Latest(ctx context.Context, vendorData string, max int) ([]Record, error)
	// Due lists the sessions of a class whose DueFrom is not after the time, oldest first. It may lag
	// behind the records, and list some that have expired. After an error it ends.
	Due(ctx context.Context, class Class, now time.Time) iter.Seq2[string, error]

	// AddToken stores the token of a task that waits on a session. Storing it again changes nothing.
	AddToken(ctx context.Context, sessionID, token string) error
	// Tokens returns the tokens of the tasks that wait on a session, as of now.
	Tokens(ctx context.Context, sessionID string) ([]string, error)
	// RemoveToken removes a token, if it is there.
	RemoveToken(ctx context.Context, sessionID, token string) error

	// TakeReadBudget takes one of the reader's max reads at Didit in the minute of the time, and
	// returns false if all are taken.
	TakeReadBudget(ctx context.Context, reader Reader, at time.Time, max int) (bool, error)
}

// Reader is who reads at Didit. Each has a budget of its own, so that none starves the other.
type Reader string

// The readers.
const (
	ReaderGet       Reader = "get"       // for callers who ask for a status
	ReaderReconcile Reader = "reconcile" // for [Tracker.Reconcile]
)

// ErrUnreadable is the error for a record that cannot be decoded.
var ErrUnreadable = NewError(CodeInternal, "a row of the table is malformed: another program has written it")

// Bus publishes events. It returns errors as [Store] does. If Publish returns nil, subscribers get
// the event at least once.
type Bus interface {
	Publish(ctx context.Context, e Event) error
}

// Tasks completes waiting tasks. A task that has ended already counts as completed. It returns
// errors as [Store] does.
type Tasks interface {
	// Succeed ends the task with its output, which is JSON.
	Succeed(ctx context.Context, token string, output []byte) error
	// Fail ends the task with the name of an error, on which workflows match, and a sentence.
	Fail(ctx context.Context, token, name, cause string) error
}
