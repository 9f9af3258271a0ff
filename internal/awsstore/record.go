package awsstore

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

// attribute is a name with a value; nil has no place in the table.
type attribute struct {
	name  string
	value types.AttributeValue
}

// addition leaves alone what is on record.
func (t *Table) addition(r verification.Record) *expression {
	e := new(expression)
	for _, a := range append(standing(r), attribute{OwnerSortKey, milliseconds(r.CreatedAt)}) {
		e.keep(a.name, a.value)
	}
	for _, a := range append(owner(r), due(r)...) {
		if a.value != nil {
			e.keep(a.name, a.value)
		}
	}
	e.live(t.now())
	t.confirm(e, r)
	e.count(attrVersion, t.now().UnixMicro())
	return e
}

// revival takes the place of a row that has expired.
func (t *Table) revival(r verification.Record) *expression {
	e := new(expression)
	for _, a := range append(standing(r), attribute{OwnerSortKey, milliseconds(r.CreatedAt)}) {
		e.set(a.name, a.value)
	}
	for _, a := range append(owner(r), due(r)...) {
		e.setOrRemove(a)
	}
	e.dead(t.now())
	t.confirm(e, r)
	e.count(attrVersion, t.now().UnixMicro())
	return e
}

// replacement takes the place of the version that was read.
func (t *Table) replacement(r verification.Record) *expression {
	e := new(expression)
	for _, a := range standing(r) {
		e.set(a.name, a.value)
	}
	for _, a := range owner(r) {
		if a.value != nil {
			e.keep(a.name, a.value)
		}
	}
	for _, a := range due(r) {
		e.setOrRemove(a)
	}
	e.latest(r.Version, t.now())
	t.confirm(e, r)
	e.set(attrVersion, number(r.Version+1))
	return e
}

// confirm writes what every write changes.
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

// standing is what the session has come to.
func standing(r verification.Record) []attribute {
	return []attribute{
		{attrStatus, text(r.Status)}, {attrStatusAt, milliseconds(r.StatusAt)}, {attrSource, text(string(r.Source))},
		{attrFinal, boolean(r.Final())}, {attrChecks, encodeChecks(r.Checks)}, {attrAsked, number(int64(r.Asked))},
		{attrAwaited, boolean(r.Awaited)}, {attrSeen, encodeTexts(r.Seen)},
	}
}

// owner is whose session it is, and its workflow. An index takes no empty key.
func owner(r verification.Record) []attribute {
	known := func(s string) types.AttributeValue {
		if s == "" || len(s) > longestOwner {
			return nil
		}
		return text(s)
	}
	return []attribute{{OwnerPartitionKey, known(r.VendorData)}, {attrWorkflow, known(r.WorkflowID)}}
}

// due puts the row into the index, or takes it out.
func due(r verification.Record) []attribute {
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

func encodeTexts(texts []string) types.AttributeValue {
	list := []types.AttributeValue{}
	for _, s := range texts {
		list = append(list, text(s))
	}
	return &types.AttributeValueMemberL{Value: list}
}

// integer returns the number that v is, and whether it is one.
func integer(v types.AttributeValue) (int64, bool) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	return value, err == nil
}
