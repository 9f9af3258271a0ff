package dynamodb

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// valueExpr computes a new value from the item before the update.
type valueExpr func(before attributeMap) (attributeValue, error)

// updateAction is a change of one attribute.
type updateAction struct {
	path  string
	value valueExpr // nil removes the attribute
}

// update parses an update expression.
func (s *placeholders) update(text string) ([]updateAction, error) {
	p := s.parse("UpdateExpression", text)
	var actions []updateAction
	seen := make(map[string]bool)
	for p.err == nil && p.peek() != "" {
		clause := strings.ToUpper(p.next())
		if seen[clause] {
			p.fail("The \"" + clause + "\" section can only be used once in an update expression;")
		}
		seen[clause] = true
		for more := p.err == nil; more; more = p.accept(",") {
			actions = append(actions, p.action(clause))
		}
	}
	for i, action := range actions {
		if slices.ContainsFunc(actions[:i], func(other updateAction) bool { return other.path == action.path }) {
			p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [" + action.path + "]")
		}
	}
	return actions, p.finish()
}

func (p *expressionParser) action(clause string) updateAction {
	a := updateAction{path: p.path()}
	switch clause {
	case "SET":
		p.expect("=")
		a.value = p.sum()
	case "REMOVE":
	default:
		p.fail("Syntax error; token: \"" + clause + "\"")
	}
	return a
}

// sum parses an operand, or two with a plus between them.
func (p *expressionParser) sum() valueExpr {
	left := p.updateOperand()
	if !p.accept("+") {
		return left
	}
	right := p.updateOperand()
	return func(before attributeMap) (attributeValue, error) {
		a, errA := left(before)
		b, errB := right(before)
		if err := cmp.Or(errA, errB); err != nil {
			return a, err
		}
		if a.kind != "N" || b.kind != "N" {
			return a, invalid("An operand in the update expression has an incorrect data type")
		}
		return numberValue(new(big.Rat).Add(a.number(), b.number())), nil
	}
}

func (p *expressionParser) updateOperand() valueExpr {
	if p.isCall() {
		if name := p.next(); name != "if_not_exists" {
			p.fail("Invalid function name; function: " + name)
		}
		p.expect("(")
		path := p.path()
		p.expect(",")
		otherwise := p.updateOperand()
		p.expect(")")
		return func(before attributeMap) (attributeValue, error) {
			if v, ok := before[path]; ok {
				return v, nil
			}
			return otherwise(before)
		}
	}
	o := p.operand()
	return func(before attributeMap) (attributeValue, error) {
		v, ok := o.in(before)
		if !ok {
			return v, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		return v, nil
	}
}

// apply returns the item after the actions.
func apply(actions []updateAction, before attributeMap) (attributeMap, error) {
	after := maps.Clone(before)
	for _, action := range actions {
		if action.value == nil {
			delete(after, action.path)
			continue
		}
		v, err := action.value(before)
		if err != nil {
			return nil, err
		}
		after[action.path] = v
	}
	return after, nil
}
