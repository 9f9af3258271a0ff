package dynamodb

import "strings"

// conditionExpr reports whether a condition holds for an item.
type conditionExpr func(attributeMap) bool

// operandExpr is an attribute or a literal.
type operandExpr struct {
	path    string // empty: a literal
	literal attributeValue
}

func (o operandExpr) in(item attributeMap) (attributeValue, bool) {
	if o.path == "" {
		return o.literal, true
	}
	v, ok := item[o.path]
	return v, ok
}

// condition parses a condition expression; without one, the condition always holds.
func (s *placeholders) condition(text *string) (conditionExpr, error) {
	if text == nil {
		return func(attributeMap) bool { return true }, nil
	}
	p := s.parse("ConditionExpression", *text)
	c := p.or()
	return c, p.finish()
}

func (p *expressionParser) or() conditionExpr {
	left := p.and()
	for p.accept("OR") {
		first, second := left, p.and()
		left = func(item attributeMap) bool { return first(item) || second(item) }
	}
	return left
}

func (p *expressionParser) and() conditionExpr {
	left := p.not()
	for p.accept("AND") {
		first, second := left, p.not()
		left = func(item attributeMap) bool { return first(item) && second(item) }
	}
	return left
}

func (p *expressionParser) not() conditionExpr {
	if p.accept("NOT") {
		inner := p.not()
		return func(item attributeMap) bool { return !inner(item) }
	}
	if p.accept("(") {
		inner := p.or()
		p.expect(")")
		return inner
	}
	if len(p.tokens) > 1 && p.tokens[1] == "(" {
		return p.function()
	}
	return p.comparison()
}

func (p *expressionParser) function() conditionExpr {
	name := p.next()
	p.expect("(")
	path := p.path()
	var prefix attributeValue
	switch name {
	case "attribute_exists", "attribute_not_exists":
	case "begins_with":
		p.expect(",")
		if prefix = p.literal(); p.err == nil && prefix.kind != "S" {
			p.fail("Incorrect operand type for operator or function; operator or function: begins_with, operand type: " + prefix.kind)
		}
	default:
		p.fail("Invalid function name; function: " + name)
	}
	p.expect(")")
	return func(item attributeMap) bool {
		v, ok := item[path]
		switch name {
		case "attribute_exists":
			return ok
		case "attribute_not_exists":
			return !ok
		}
		return ok && v.kind == "S" && strings.HasPrefix(v.text, prefix.text)
	}
}

func (p *expressionParser) comparison() conditionExpr {
	left := p.operand()
	operator := p.operator()
	right := p.operand()
	for _, o := range []operandExpr{left, right} {
		_, ordered := o.literal.compare(o.literal)
		if p.err == nil && o.path == "" && operator != "=" && operator != "<>" && !ordered {
			p.fail("Incorrect operand type for operator or function; operator or function: " + operator + ", operand type: " + o.literal.kind)
		}
	}
	return func(item attributeMap) bool {
		a, okA := left.in(item)
		b, okB := right.in(item)
		if !okA || !okB {
			return operator == "<>" && okA != okB
		}
		return holds(operator, a, b)
	}
}

// holds reports whether the comparison is true. Values of different types are not equal, and have
// no order.
func holds(operator string, a, b attributeValue) bool {
	switch operator {
	case "=":
		return a.equal(b)
	case "<>":
		return !a.equal(b)
	}
	order, ok := a.compare(b)
	switch operator {
	case "<":
		return ok && order < 0
	case "<=":
		return ok && order <= 0
	case ">":
		return ok && order > 0
	}
	return ok && order >= 0
}

func (p *expressionParser) operator() string {
	token := p.next()
	switch token {
	case "=", "<>", "<", "<=", ">", ">=":
	default:
		p.fail("Syntax error; token: \"" + token + "\"")
	}
	return token
}

func (p *expressionParser) operand() operandExpr {
	if strings.HasPrefix(p.peek(), ":") {
		return operandExpr{literal: p.literal()}
	}
	return operandExpr{path: p.path()}
}
