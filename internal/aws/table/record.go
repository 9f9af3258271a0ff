package table

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

// item is a row, or the key of one.
type item = map[string]types.AttributeValue

func recordKey(sessionID string) item {
	return item{PartitionKey: text(sessionID), SortKey: text(recordSort)}
}

// attribute is the name and value of an attribute; a nil value is not stored.
type attribute struct {
	name  string
	value types.AttributeValue
}

// addition writes what the stored record lacks, and fails if the row has expired.
func (t *Table) addition(r verification.Record) *expression {
	e := new(expression)
	for _, a := range append(statusAttributes(r), attribute{OwnerSortKey, milliseconds(r.CreatedAt)}) {
		e.setIfMissing(a.name, a.value)
	}
	for _, a := range append(ownerAttributes(r), dueAttributes(r)...) {
		if a.value != nil {
			e.setIfMissing(a.name, a.value)
		}
	}
	e.requireLive(t.now())
	t.confirm(e, r)
	e.increment(attrVersion, t.now().UnixMicro())
	return e
}

// replaceExpired replaces a row that has expired.
func (t *Table) replaceExpired(r verification.Record) *expression {
	e := new(expression)
	for _, a := range append(statusAttributes(r), attribute{OwnerSortKey, milliseconds(r.CreatedAt)}) {
		e.set(a.name, a.value)
	}
	for _, a := range append(ownerAttributes(r), dueAttributes(r)...) {
		e.setOrRemove(a)
	}
	e.requireExpired(t.now())
	t.confirm(e, r)
	e.increment(attrVersion, t.now().UnixMicro())
	return e
}

// replacement replaces the version that was read.
func (t *Table) replacement(r verification.Record) *expression {
	e := new(expression)
	for _, a := range statusAttributes(r) {
		e.set(a.name, a.value)
	}
	for _, a := range ownerAttributes(r) {
		if a.value != nil {
			e.setIfMissing(a.name, a.value)
		}
	}
	for _, a := range dueAttributes(r) {
		e.setOrRemove(a)
	}
	e.requireVersion(r.Version, t.now())
	t.confirm(e, r)
	e.set(attrVersion, number(r.Version+1))
	return e
}

// confirm sets the attributes that every write changes.
func (t *Table) confirm(e *expression, r verification.Record) {
	e.set(attrCheckedAt, milliseconds(r.CheckedAt))
	e.set(ExpiryAttribute, number(t.expiry()))
}

func (e *expression) setOrRemove(a attribute) {
	if a.value == nil {
		e.remove(a.name)
		return
	}
	e.set(a.name, a.value)
}

// statusAttributes describe the current status.
func statusAttributes(r verification.Record) []attribute {
	return []attribute{
		{attrStatus, text(r.Status)}, {attrStatusAt, milliseconds(r.StatusAt)}, {attrSource, text(string(r.Source))},
		{attrFinal, boolean(r.Final())}, {attrChecks, encodeChecks(r.Checks)}, {attrAsked, number(int64(r.Asked))},
		{attrAwaited, boolean(r.Awaited)}, {attrSeen, encodeStrings(r.Seen)},
	}
}

// ownerAttributes are the owner and the workflow, if known. An index key must not be empty.
func ownerAttributes(r verification.Record) []attribute {
	textOrNil := func(s string) types.AttributeValue {
		if s == "" || len(s) > maxOwner {
			return nil
		}
		return text(s)
	}
	return []attribute{{OwnerPartitionKey, textOrNil(r.VendorData)}, {attrWorkflow, textOrNil(r.WorkflowID)}}
}

// dueAttributes put the row into the index of due records, or take it out.
func dueAttributes(r verification.Record) []attribute {
	if r.DueFrom.IsZero() {
		return []attribute{{DuePartitionKey, nil}, {DueSortKey, nil}}
	}
	return []attribute{{DuePartitionKey, text(dueValue)}, {DueSortKey, milliseconds(r.DueFrom)}}
}

func milliseconds(at time.Time) types.AttributeValue { return number(at.UnixMilli()) }

func encodeChecks(checks []verification.Check) types.AttributeValue {
	list := []types.AttributeValue{}
	for _, c := range checks {
		var status types.AttributeValue = &types.AttributeValueMemberNULL{Value: true}
		if c.Status != nil {
			status = text(*c.Status)
		}
		list = append(list, &types.AttributeValueMemberM{Value: item{checkFeature: text(c.Feature), checkStatus: status}})
	}
	return &types.AttributeValueMemberL{Value: list}
}

func encodeStrings(values []string) types.AttributeValue {
	list := []types.AttributeValue{}
	for _, s := range values {
		list = append(list, text(s))
	}
	return &types.AttributeValueMemberL{Value: list}
}

// integer returns the value of an integer attribute, and whether v is one.
func integer(v types.AttributeValue) (int64, bool) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	return value, err == nil
}
