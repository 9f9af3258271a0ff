package dynamodb

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
)

// attributeMap is an item, a key, or a map in one. Items are never modified in place.
type attributeMap map[string]attributeValue

// attributeValue is the value of an attribute. There are no sets and no binary values.
type attributeValue struct {
	kind   string // S, N, BOOL, NULL, L or M
	text   string // of S; of N in a canonical form
	flag   bool   // of BOOL; true for NULL
	list   []attributeValue
	fields attributeMap
}

// numberForm matches what DynamoDB accepts as a number, with an exponent of at most three digits.
var numberForm = regexp.MustCompile(`^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$`)

// maxDigits is the limit for significant digits of a number.
const maxDigits = 38

// content points to what a value of the kind holds. It is nil for a kind that this fake lacks.
func (v *attributeValue) content(kind string) any {
	switch kind {
	case "S", "N":
		return &v.text
	case "BOOL", "NULL":
		return &v.flag
	case "L":
		return &v.list
	case "M":
		return &v.fields
	}
	return nil
}

// MarshalJSON encodes a value such as {"S":"text"}.
func (v attributeValue) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{v.kind: v.content(v.kind)})
}

// UnmarshalJSON decodes the value as MarshalJSON encodes it.
func (v *attributeValue) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	if len(members) != 1 {
		return invalid("Supplied AttributeValue is empty or has several datatypes, must contain exactly one of the supported datatypes")
	}
	for kind, raw := range members {
		content := v.content(kind)
		if content == nil {
			return invalid("this fake does not have the datatype " + kind)
		}
		if err := json.Unmarshal(raw, content); err != nil {
			return err
		}
		v.kind = kind
	}
	switch {
	case v.kind == "N":
		return v.normalize()
	case v.kind == "NULL" && !v.flag:
		return invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
	}
	return nil
}

// normalize gives a number its canonical form.
func (v *attributeValue) normalize() error {
	number, ok := new(big.Rat), numberForm.MatchString(v.text)
	if ok {
		number, ok = number.SetString(v.text)
	}
	if !ok {
		return invalid("The parameter cannot be converted to a numeric value: " + v.text)
	}
	*v = numberValue(number)
	if len(strings.Trim(strings.ReplaceAll(strings.TrimPrefix(v.text, "-"), ".", ""), "0")) > maxDigits {
		return invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func numberValue(number *big.Rat) attributeValue {
	text := number.Num().String()
	if !number.IsInt() {
		text = strings.TrimRight(number.FloatString(1100), "0")
	}
	return attributeValue{kind: "N", text: text}
}

// number returns the value of an N.
func (v attributeValue) number() *big.Rat {
	number, _ := new(big.Rat).SetString(v.text)
	return number
}

// size returns what the value adds to the size of an item (Amazon DynamoDB: Item sizes and
// formats).
func (v attributeValue) size() int {
	switch v.kind {
	case "S":
		return len(v.text)
	case "N":
		return len(v.text)/2 + 2
	case "L":
		total := 3
		for _, inner := range v.list {
			total += 1 + inner.size()
		}
		return total
	case "M":
		return 3 + len(v.fields) + v.fields.size()
	}
	return 1
}

func (item attributeMap) size() (total int) {
	for name, v := range item {
		total += len(name) + v.size()
	}
	return total
}

// compare orders two values, and reports whether they have an order: two strings, or two numbers.
func (v attributeValue) compare(other attributeValue) (int, bool) {
	switch {
	case v.kind != other.kind:
		return 0, false
	case v.kind == "S":
		return strings.Compare(v.text, other.text), true
	case v.kind == "N":
		return v.number().Cmp(other.number()), true
	}
	return 0, false
}
