package table

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

// MarkErased marks the session as erased, whatever its row is, unless it is another owner's.
func (t *Table) MarkErased(ctx context.Context, r verification.Record) (marked, gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	before, marked, err := t.updateReturning(ctx, recordKey(r.SessionID), t.erasure(r), types.ReturnValueAllOld)
	d := decoder{row: before} // which another program may have written: that is no reason to keep it
	return marked, marked && d.flag(attrGone), err
}

// Strip removes all of an erased session's row but that it is erased, and when it expires.
func (t *Table) Strip(ctx context.Context, sessionID string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	e := new(expression)
	removeStatus(e)
	for _, name := range []string{OwnerPartitionKey, OwnerSortKey, attrNews, attrVersion, attrGone} {
		e.remove(name)
	}
	e.condition = "attribute_exists(" + e.name(attrErased) + ")"
	_, err := t.update(ctx, recordKey(sessionID), e)
	return err
}

// erasure leaves the owner and the creation time of a row, by which it is found again.
func (t *Table) erasure(r verification.Record) *expression {
	e := new(expression)
	removeStatus(e)
	e.set(attrErased, boolean(true))
	if r.Gone {
		e.set(attrGone, boolean(true))
	}
	e.set(ExpiryAttribute, expiresAt(r))
	e.set(OwnerPartitionKey, text(r.VendorData))
	e.setIfMissing(OwnerSortKey, milliseconds(r.CreatedAt))
	e.increment(attrVersion, t.now().UnixMicro())
	e.increment(attrNews, 0)
	owner := e.name(OwnerPartitionKey)
	e.condition = "attribute_not_exists(" + owner + ") OR " + owner + " = " + e.value(OwnerPartitionKey, text(r.VendorData))
	return e
}

// removeStatus removes everything that a row says about its session's progress.
func removeStatus(e *expression) {
	for _, name := range []string{
		attrStatus, attrStatusAt, attrSource, attrFinal, attrChecks, attrAsked, attrUnread, attrAwaited, attrSeen, attrConfirmedAt, attrDoubtAt,
		attrUnknownSince, attrUnknownReads, attrWorkflow, attrCheckedAt, attrReadAt, DuePartitionKey, DueSortKey,
	} {
		e.remove(name)
	}
}
