package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// units are those of the table of limits, in nanoseconds or bytes.
var units = map[string]float64{
	"": 1, "ms": float64(time.Millisecond), "s": float64(time.Second), "min": float64(time.Minute), "h": float64(time.Hour), "d": 24 * float64(time.Hour),
	"KiB": 1 << 10, "MiB": 1 << 20,
}

// toolPackages are left out of the table of limits: they are for tests and for this machine.
var toolPackages = regexp.MustCompile(`^internal/(cmd|awsfake|lambdatest|memory|stage|repotest|.*test)(/|$)|testdata`)

// Ensure that the table of limits has every limit of the product, with its value.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := productLimits(t)
	table := section(t, read(t, "internal/README.md"), "## Time budgets and limits", "\n## ")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([0-9][0-9.,]*) ?(\\w*) \\| `([a-z/]+\\.\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		number, err := strconv.ParseFloat(strings.ReplaceAll(row[1], ",", ""), 64)
		unit, known := units[row[2]]
		if err != nil || !known {
			t.Errorf("%s: %s %s cannot be read", row[3], row[1], row[2])
			continue
		}
		documented[row[3]] = true
		if got, ok := limits[row[3]]; !ok {
			t.Errorf("there is no constant %s", row[3])
		} else if got.value != number*unit {
			t.Errorf("%s is %v, documented as %s %s", row[3], got.value, row[1], row[2])
		}
	}
	for name, l := range limits {
		_, last, _ := strings.Cut(path.Base(name), ".")
		if !documented[name] && (l.duration || limitName.MatchString(last)) {
			t.Errorf("the table of limits does not have %s", name)
		}
	}
}

// limitName matches the names of constants that are limits, besides durations.
var limitName = regexp.MustCompile(`^(max|min|Max|Min)[A-Z]|Limit$`)

// limit is a numeric constant.
type limit struct {
	value    float64 // nanoseconds of a duration
	duration bool
}

// productLimits returns the numeric constants of the functions and of what they link, by package
// and name.
func productLimits(t *testing.T) map[string]limit {
	t.Helper()
	limits := map[string]limit{}
	for _, dir := range []string{"internal", "functions"} {
		for name, text := range files(t, dir, ".go") {
			if toolPackages.MatchString(path.Dir(name)) || strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
					addConstants(limits, strings.TrimPrefix(path.Dir(name), "internal/"), d)
				}
			}
		}
	}
	return limits
}

func addConstants(limits map[string]limit, dir string, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, name := range spec.Names {
			if i < len(spec.Values) {
				if value := number(spec.Values[i]); !math.IsNaN(value) {
					limits[dir+"."+name.Name] = limit{value, isDuration(spec.Values[i])}
				}
			}
		}
	}
}

func isDuration(e ast.Expr) bool {
	duration := false
	ast.Inspect(e, func(n ast.Node) bool {
		_, selector := n.(*ast.SelectorExpr)
		duration = duration || selector
		return true
	})
	return duration
}

// number evaluates a constant expression of integers and units of time; it is NaN for any other.
func number(e ast.Expr) float64 {
	switch e := e.(type) {
	case *ast.BasicLit:
		value, err := strconv.ParseInt(e.Value, 0, 64)
		if err != nil {
			return math.NaN()
		}
		return float64(value)
	case *ast.SelectorExpr:
		if unit, ok := map[string]string{"Millisecond": "ms", "Second": "s", "Minute": "min", "Hour": "h"}[e.Sel.Name]; ok {
			return units[unit]
		}
	case *ast.BinaryExpr:
		x, y := number(e.X), number(e.Y)
		switch e.Op {
		case token.MUL:
			return x * y
		case token.SHL:
			return math.Ldexp(x, int(y))
		}
	}
	return math.NaN()
}
