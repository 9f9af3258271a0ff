package verification

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Receive publishes an event whose signature was verified, as one of a session on record or not,
// and reports whether it did. Events that do not concern a session, or that concern an erased one,
// are ignored. It returns an [*Error] when the table or the bus cannot be reached; then Didit has
// to deliver the event again.
func (t *Tracker) Receive(ctx context.Context, w WebhookEvent) (published bool, err error) {
	if w.Ignored {
		return false, nil
	}
	e := deliveredEvent(w)
	r, found, err := t.Store.Record(ctx, e.SessionID)
	if err != nil || r.Erased {
		return false, err
	}
	err = t.Bus.Publish(ctx, e.withOwner(r, found))
	return err == nil, err
}

// maxEventID is the length of the longest event id that is kept as Didit sent it; a UUID has 36
// characters.
const maxEventID = 128

// boundedID returns the id of a delivered event. An id that is too long to be kept, or that looks
// like one of our own, is replaced by its hash.
func boundedID(id string) string {
	if len(id) <= maxEventID && !strings.HasPrefix(id, readPrefix) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}
