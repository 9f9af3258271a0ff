package verification

import (
	"context"
	"time"
)

// Store keeps records and waiting tasks. Its implementations are safe for concurrent use. They
// return an [*Error] with code backend_unavailable when they are out of reach, and with internal
// when asking again does not help: the table is missing, denied or misused.
type Store interface {
	// Add puts a session on record, in one write. Where it is on record already, its status,
	// checks, source and creation time stay as they are; what was not known of its owner and
	// workflow is filled in; it counts as confirmed at r.CheckedAt, and is due from r.DueFrom if it
	// was not due any more.
	Add(ctx context.Context, r Record) error
	// Session returns the record of a session as of now (no stale copy), and whether there is one.
	Session(ctx context.Context, sessionID string) (Record, bool, error)
	// Replace writes all of the record but its creation time, provided that nobody wrote it since
	// it was read; otherwise it writes nothing and reports false. Owner and workflow that the
	// stored record knows stay. The stored version is then r.Version+1.
	Replace(ctx context.Context, r Record) (bool, error)
	// Remove takes the record away, provided that nobody wrote it since it was read.
	Remove(ctx context.Context, r Record) (bool, error)
	// ByOwner returns the latest records of an end user, newest first.
	ByOwner(ctx context.Context, vendorData string, most int) ([]Record, error)
	// Due returns the ids of sessions whose DueFrom is not after the time, oldest first. The list
	// may lag behind the records.
	Due(ctx context.Context, from time.Time, most int) ([]string, error)

	// AddTask stores the token of a task that waits on a session. Storing it again changes nothing.
	AddTask(ctx context.Context, sessionID, token string) error
	// Tasks returns the tokens of the tasks that wait on a session, as of now.
	Tasks(ctx context.Context, sessionID string) ([]string, error)
	// RemoveTask forgets a token; that it is not there is no error.
	RemoveTask(ctx context.Context, sessionID, token string) error

	// TakeRead takes one of the reads at Didit that the deployment has in the minute of the time,
	// and reports false when all are taken.
	TakeRead(ctx context.Context, at time.Time, most int) (bool, error)
}

// Bus tells events to whoever listens. It returns an [*Error] as [Store] does; an event for which it
// returns nil is delivered at least once.
type Bus interface {
	Publish(ctx context.Context, e Event) error
}

// Tasks completes waiting tasks. A task that is closed already counts as completed. It returns an
// [*Error] as [Store] does.
type Tasks interface {
	// Succeed ends the task with its output, JSON.
	Succeed(ctx context.Context, token string, output []byte) error
	// Fail ends the task with an error name, on which workflows match, and a sentence.
	Fail(ctx context.Context, token, name, cause string) error
}
