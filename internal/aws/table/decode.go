package table

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

// decode returns the record in a row. A missing attribute is zero. One of another type is an error,
// because more may be wrong with such a row.
func decode(row item) (verification.Record, error) {
	d := decoder{row: row}
	r := verification.Record{
		SessionID: d.text(PartitionKey), VendorData: d.text(OwnerPartitionKey), WorkflowID: d.text(attrWorkflow),
		Status: d.text(attrStatus), StatusAt: d.time(attrStatusAt), Source: verification.Source(d.text(attrSource)),
		CreatedAt: d.time(OwnerSortKey), CheckedAt: d.time(attrCheckedAt), DueFrom: d.time(DueSortKey),
		ConfirmedAt: d.time(attrConfirmedAt), ReadAt: d.time(attrReadAt), DoubtAt: d.time(attrDoubtAt), News: d.number(attrNews),
		UnknownSince: d.time(attrUnknownSince), UnknownReads: int(d.number(attrUnknownReads)),
		Asked: int(d.number(attrAsked)), Unread: d.flag(attrUnread), Awaited: d.flag(attrAwaited), Version: d.number(attrVersion),
		Erased: d.flag(attrErased), Gone: d.flag(attrGone),
	}
	if _, ok := row[ExpiryAttribute]; ok {
		r.Expires = time.Unix(d.number(ExpiryAttribute), 0).UTC()
	}
	for _, v := range d.list(attrChecks) {
		r.Checks = append(r.Checks, d.check(v))
	}
	for _, v := range d.list(attrSeen) {
		seen := decoder{row: item{attrSeen: v}}
		r.Seen = append(r.Seen, seen.text(attrSeen))
		d.wrong = d.wrong || seen.wrong
	}
	if d.wrong {
		return verification.Record{}, verification.ErrUnreadable
	}
	return r, nil
}

// decoder reads the attributes of a row, and notes whether one had another type.
type decoder struct {
	row   item
	wrong bool
}

// read returns the attribute, and whether the row has it with that type.
func read[T types.AttributeValue](d *decoder, name string) (v T, ok bool) {
	raw, ok := d.row[name]
	if !ok {
		return v, false
	}
	v, ok = raw.(T)
	d.wrong = d.wrong || !ok
	return v, ok
}

func (d *decoder) text(name string) string {
	if v, ok := read[*types.AttributeValueMemberS](d, name); ok {
		return v.Value
	}
	return ""
}

func (d *decoder) number(name string) int64 {
	v, ok := read[*types.AttributeValueMemberN](d, name)
	if !ok {
		return 0
	}
	n, ok := integer(v)
	d.wrong = d.wrong || !ok
	return n
}

func (d *decoder) flag(name string) bool {
	v, ok := read[*types.AttributeValueMemberBOOL](d, name)
	return ok && v.Value
}

func (d *decoder) list(name string) []types.AttributeValue {
	if v, ok := read[*types.AttributeValueMemberL](d, name); ok {
		return v.Value
	}
	return nil
}

func (d *decoder) time(name string) time.Time {
	if _, ok := d.row[name]; !ok {
		return time.Time{}
	}
	return time.UnixMilli(d.number(name)).UTC()
}

func (d *decoder) check(v types.AttributeValue) (c verification.Check) {
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		d.wrong = true
		return c
	}
	inner := decoder{row: m.Value}
	c.Feature = inner.text(checkFeature)
	if _, null := m.Value[checkStatus].(*types.AttributeValueMemberNULL); !null {
		c.Status = new(inner.text(checkStatus))
	}
	d.wrong = d.wrong || inner.wrong
	return c
}
