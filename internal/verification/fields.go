package verification

import (
	"math"
	"slices"
	"strings"
)

// MaxRaw returns how many bytes the top-level field of that name may have if create wants only
// [Value.Raw] of it, or its string: metadata, the portrait, and extra fields. It is 0 for any other
// field, inside of which create looks.
func (p Policy) MaxRaw(name string) int {
	switch {
	case name == "metadata":
		return maxMetadata
	case name == "portrait_image", slices.Contains(p.ExtraFields, name) && !KnownField(name):
		return math.MaxInt
	default:
		return 0
	}
}

// fieldsNotAllowed lists the fields of a body that exist and that a signed-in user may not send.
func (p Policy) fieldsNotAllowed(body Value) []FieldError {
	var refused []FieldError
	refuse := func(path string, v Value) {
		known := KnownField(path)
		if (known || slices.Contains(p.ExtraFields, path)) && !(known && v.Kind == KindNull) {
			refused = append(refused, FieldError{Field: path, Message: "may not be sent by a signed-in user."})
		}
	}
	for _, m := range body.Members {
		switch {
		case dotted(m.Name), m.Name == "vendor_data", slices.Contains(p.UserFields, m.Name):
		case !p.allowsWithin(m.Name):
			refuse(FieldPath("", m.Name), m.Value)
		default:
			for _, inner := range m.Value.Members {
				if path := FieldPath(m.Name, inner.Name); !slices.Contains(p.UserFields, path) {
					refuse(path, inner.Value)
				}
			}
		}
	}
	return refused
}

// allowsWithin reports whether any member of a top-level field is allowed. A path that is no field
// matches nothing: what is inside of metadata or of an extra field cannot be allowed alone.
func (p Policy) allowsWithin(name string) bool {
	return slices.ContainsFunc(p.UserFields, func(f string) bool { return strings.HasPrefix(f, name+".") && KnownField(f) })
}

const unknownField = "is not a field of this request."

// maxSuggestions bounds how many unknown fields of a request get a suggestion.
const maxSuggestions = 20

// refuseUnknown refuses a field that does not exist, with the nearest name of one that does.
// pathAsName tells that the caller wrote a path as a name, and must learn to nest the field.
func (d *draft) refuseUnknown(path string, pathAsName bool) {
	message := unknownField
	if len(d.invalid) < maxSuggestions {
		if name := nearest(path, d.names()); name != "" {
			suggestion := ": did you mean " + name + "?"
			if object, inner, ok := strings.Cut(name, "."); ok && pathAsName {
				suggestion = ": did you mean " + inner + " inside the object " + object + "?"
				if name == path {
					suggestion = ": send " + inner + " inside the object " + object + "."
				}
			}
			message = strings.TrimSuffix(unknownField, ".") + suggestion
		}
	}
	d.refuse(path, message)
}

// names are the paths of all fields that the request may have.
func (d *draft) names() []string {
	names := slices.Clone(d.furtherFields)
	for _, p := range parameters {
		names = append(names, p.path)
	}
	return names
}

// UnknownField returns the error of a field of an operation that takes those names and no other,
// with the one that is nearly the given name.
func UnknownField(name string, names ...string) FieldError {
	e := FieldError{Field: FieldPath("", name), Message: unknownField}
	if near := nearest(e.Field, names); near != "" {
		e.Message = strings.TrimSuffix(unknownField, ".") + ": did you mean " + near + "?"
	}
	return e
}

// nearest returns the path that, or else whose last name, is nearly the given one's; "" if there is
// none.
func nearest(path string, names []string) (nearest string) {
	least := math.MaxInt
	for _, name := range names {
		from, to := plainName(lastName(path)), plainName(lastName(name))
		limit := (min(len(from), len(to)) + 1) / 3
		if n := distance(from, to); n <= limit && 2*n+1 < least { // elsewhere, which is less likely
			least, nearest = 2*n+1, name
		}
		if strings.Count(path, ".") != strings.Count(name, ".") {
			continue
		}
		if n := distance(plainName(path), plainName(name)); n <= limit && 2*n < least {
			least, nearest = 2*n, name
		}
	}
	return nearest
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// plainName is the name without what spellings such as workflowId and workflow-id differ in.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// distance returns how many bytes must be inserted, removed or replaced to make a name of another
// (Levenshtein's distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
