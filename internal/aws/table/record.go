package table

import (
	"slices"
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

// addition writes what the stored record lacks, and fails if the row has expired. Where keep is
// false, it also fails if the row expires later than the record.
func (t *Table) addition(r verification.Record, keep bool) *expression {
	e := new(expression)
	t.fill(e, r, func(attribute) bool { return false })
	e.set(attrCheckedAt, milliseconds(r.CheckedAt))
	e.requireLive(t.now())
	e.requireKept()
	if !keep && !r.Expires.IsZero() {
		name, expires := e.name(ExpiryAttribute), e.value(ExpiryAttribute, number(r.Expires.Unix()))
		e.sets = append(e.sets, name+" = "+expires)
		e.condition += " AND (attribute_not_exists(" + name + ") OR " + name + " <= " + expires + ")"
	}
	return e
}

// enrollment marks the row as awaited and writes what else it lacks, and fails if it has expired.
func (t *Table) enrollment(r verification.Record) *expression {
	e := new(expression)
	t.fill(e, r, func(a attribute) bool { return a.name == attrAwaited || a.name == ExpiryAttribute })
	e.setIfMissing(attrCheckedAt, milliseconds(r.CheckedAt))
	if !r.Expires.IsZero() {
		e.set(ExpiryAttribute, number(r.Expires.Unix()))
	}
	e.requireLive(t.now())
	e.requireKept()
	return e
}

// fill writes the attributes that the row lacks, and those that anyway reports.
func (t *Table) fill(e *expression, r verification.Record, anyway func(attribute) bool) {
	for _, a := range slices.Concat(statusAttributes(r), ownerAttributes(r), dueAttributes(r), []attribute{{OwnerSortKey, milliseconds(r.CreatedAt)}}) {
		switch {
		case a.value == nil:
		case anyway(a):
			e.set(a.name, a.value)
		default:
			e.setIfMissing(a.name, a.value)
		}
	}
	e.increment(attrVersion, t.now().UnixMicro())
}

// replaceExpired replaces a row that has expired. Only that it is awaited stays.
func (t *Table) replaceExpired(r verification.Record) *expression {
	e := new(expression)
	for _, a := range slices.Concat(statusAttributes(r), ownerAttributes(r), dueAttributes(r), []attribute{
		{OwnerSortKey, milliseconds(r.CreatedAt)}, {attrReadAt, nil}, {attrErased, nil}, {attrGone, nil}, {ExpiryAttribute, expiresAt(r)}}) {
		if a.name == attrAwaited && !r.Awaited {
			e.setIfMissing(a.name, a.value)
		} else {
			e.setOrRemove(a)
		}
	}
	e.set(attrCheckedAt, milliseconds(r.CheckedAt))
	e.requireExpired(t.now())
	e.increment(attrVersion, t.now().UnixMicro())
	return e
}

// replacement replaces the version that was read.
func (t *Table) replacement(r verification.Record) *expression {
	e := new(expression)
	for _, a := range slices.Concat(statusAttributes(r), dueAttributes(r), []attribute{
		{attrCheckedAt, milliseconds(r.CheckedAt)}, {ExpiryAttribute, expiresAt(r)}, {attrVersion, number(r.Version + 1)}}) {
		e.setOrRemove(a)
	}
	for _, a := range ownerAttributes(r) {
		if a.value != nil {
			e.setIfMissing(a.name, a.value)
		}
	}
	e.requireVersion(r.Version, t.now())
	return e
}

// claim claims a read, and fails if one was claimed after the time.
func (t *Table) claim(at time.Time, pause time.Duration) *expression {
	e := new(expression)
	e.set(attrReadAt, milliseconds(at))
	e.requireLive(t.now())
	e.requireKept()
	name := e.name(attrReadAt)
	e.condition += " AND attribute_exists(" + e.name(attrVersion) + ") AND (attribute_not_exists(" + name + ") OR " + name +
		" <= " + e.value("latest", milliseconds(at.Add(-pause))) + ")"
	return e
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
		{attrUnread, boolean(r.Unread)}, {attrAwaited, boolean(r.Awaited)}, {attrSeen, encodeStrings(r.Seen)},
		{attrNews, number(r.News)}, {attrConfirmedAt, optionalTime(r.ConfirmedAt)}, {attrDoubtAt, optionalTime(r.DoubtAt)}, {attrUnknownSince, optionalTime(r.UnknownSince)},
		{attrUnknownReads, number(int64(r.UnknownReads))},
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
	return []attribute{{DuePartitionKey, classValue(r.Class())}, {DueSortKey, milliseconds(r.DueFrom)}}
}

func classValue(c verification.Class) types.AttributeValue { return text(strconv.Itoa(int(c))) }

// expiresAt returns when the record expires, in Unix seconds; nil: never.
func expiresAt(r verification.Record) types.AttributeValue {
	if r.Expires.IsZero() {
		return nil
	}
	return number(r.Expires.Unix())
}

func milliseconds(at time.Time) types.AttributeValue { return number(at.UnixMilli()) }

// optionalTime is milliseconds, and nil for the zero time.
func optionalTime(at time.Time) types.AttributeValue {
	if at.IsZero() {
		return nil
	}
	return milliseconds(at)
}

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
