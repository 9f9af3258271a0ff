package verification

import (
	"context"
	"time"
)

// Store keeps records, and the tokens of waiting tasks. Its implementations are safe for concurrent
// use. They return an [*Error] with code backend_unavailable when they cannot be reached, and with
// internal when trying again does not help: the table is missing, denied or misused.
type Store interface {
	// Add puts a session on record, in one write. If it is on record already, its status, checks,
	// source and creation time stay as they are; an unknown owner or workflow is filled in; it
	// counts as confirmed at r.CheckedAt, and is due from r.DueFrom if it was not due.
	Add(ctx context.Context, r Record) error
	// Record returns the record of a session as of now (no stale copy), and whether there is one.
	Record(ctx context.Context, sessionID string) (Record, bool, error)
	// Replace writes all of the record but its creation time, if it was not written since it was
	// read; otherwise it writes nothing and returns false. A known owner or workflow is not
	// replaced. The stored version is then r.Version+1.
	Replace(ctx context.Context, r Record) (bool, error)
	// Remove removes the record, if it was not written since it was read; otherwise it does nothing
	// and returns false.
	Remove(ctx context.Context, r Record) (bool, error)
	// ByOwner returns the latest records of an end user, newest first, max of them at most.
	ByOwner(ctx context.Context, vendorData string, max int) ([]Record, error)
	// Due returns the ids of sessions whose DueFrom is not after the time, oldest first, max of
	// them at most. It may lag behind the records.
	Due(ctx context.Context, from time.Time, max int) ([]string, error)

	// AddToken stores the token of a task that waits on a session. Storing it again changes nothing.
	AddToken(ctx context.Context, sessionID, token string) error
	// Tokens returns the tokens of the tasks that wait on a session, as of now.
	Tokens(ctx context.Context, sessionID string) ([]string, error)
	// RemoveToken removes a token, if it is there.
	RemoveToken(ctx context.Context, sessionID, token string) error

	// TakeReadBudget takes one of the deployment's max reads at Didit in the minute of the time, and
	// returns false if all are taken.
	TakeReadBudget(ctx context.Context, at time.Time, max int) (bool, error)
}

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
