package verification

import (
	"slices"
	"strconv"
	"strings"
)

// draft is a request under validation. It prints as redacted.
type draft struct {
	hidden
	invalid []FieldError
	// fields are the values for Didit by name; an object is another map.
	fields     map[string]any
	texts      map[string]string // the strings among them, by path
	workflowID string
	defaulted  bool // the workflow is the configuration's choice
	vendorData string

	furtherFields  []string // that exist beside the parameters
	localCallbacks bool     // of the policy
}

// draft reads and validates all fields of the request.
func (c *Creator) draft(r CreateRequest) *draft {
	d := &draft{
		invalid: slices.Clone(r.Invalid), fields: map[string]any{}, texts: map[string]string{},
		furtherFields: slices.Concat(c.Policy.ExtraFields, r.DoorFields), localCallbacks: c.Policy.LocalCallbacks,
	}
	for _, m := range r.Fields.Members {
		if slices.Contains(c.Policy.ExtraFields, m.Name) && !KnownField(m.Name) {
			d.fields[m.Name] = m.Value.Raw
			continue
		}
		if path := FieldPath("", m.Name); dotted(m.Name) {
			d.refuseUnknown(path, true)
		} else {
			d.take(d.fields, path, m)
		}
	}
	c.checkRelations(d, r.Caller)
	return d
}

func (d *draft) refuse(path, message string) {
	d.invalid = append(d.invalid, FieldError{Field: path, Message: message})
}

// take reads a member whose path is given, and the members within it, into an object.
func (d *draft) take(object map[string]any, path string, m Member) {
	p, known := findParameter(path)
	switch v := m.Value; {
	case !known:
		d.refuseUnknown(path, false)
	case v.Kind == KindNull:
	case p.kind == anyKind:
		object[m.Name] = v.Raw
		if len(v.Raw) > maxMetadata {
			d.refuse(path, "must not be longer than "+strconv.Itoa(maxMetadata)+" bytes.")
		}
	case v.Kind != p.kind:
		d.refuse(path, "must be "+kindWords[p.kind]+", not "+kindWords[v.Kind]+".")
	case v.Kind == KindString:
		object[m.Name], d.texts[path] = v.Text, v.Text
		if path == "callback" && d.localCallbacks && isLocal(v.Text) {
			return
		}
		if problem, private := p.checkText(v.Text); problem != "" {
			d.invalid = append(d.invalid, FieldError{Field: path, Message: problem, Private: private})
		}
	case v.Kind == KindBool:
		object[m.Name] = v.Bool
	case v.Kind == KindArray:
		types, problem := readDocumentTypes(v.Items)
		if object[m.Name] = types; problem != "" {
			d.refuse(path, problem)
		}
	case v.Kind == KindObject:
		inner := map[string]any{}
		object[m.Name] = inner
		for _, m := range v.Members {
			d.take(inner, FieldPath(path, m.Name), m)
		}
	}
}

// checkRelations applies the rules that need more than one field, the policy or the clock.
func (c *Creator) checkRelations(d *draft, caller Caller) {
	const details = "expected_details."
	if day, ok := d.texts[details+"date_of_birth"]; ok && d.valid(details+"date_of_birth") {
		if problem := checkDate(day, c.now()); problem != "" {
			d.refuse(details+"date_of_birth", problem)
		}
	}
	if d.texts[details+"address"] != "" && d.texts[details+"country"] == "" &&
		d.texts[details+"id_country"] == "" && d.texts[details+"poa_country"] == "" {
		d.refuse(details+"address", "needs expected_details.country, id_country or poa_country beside it.")
	}
	if callback, ok := d.texts["callback"]; ok && !caller.Trusted && d.valid("callback") && !isLocal(callback) {
		u, _ := parseCallback(callback)
		if !slices.ContainsFunc(c.Policy.AllowedCallbacks, func(p CallbackPrefix) bool { return p.allows(u) }) {
			d.refuse("callback", "is not on the list of callbacks of this deployment.")
		}
	}
	c.chooseWorkflow(d, caller)
}

func (c *Creator) chooseWorkflow(d *draft, caller Caller) {
	d.vendorData = d.texts["vendor_data"]
	if !caller.Trusted {
		d.vendorData = caller.Principal
	}
	sent, ok := d.texts["workflow_id"]
	switch {
	case ok:
		d.workflowID = strings.ToLower(sent)
	case !d.valid("workflow_id"):
		return
	case c.Policy.AnyWorkflow || len(c.Policy.WorkflowIDs) == 0:
		d.refuse("workflow_id", "is required.")
	default:
		d.workflowID, d.defaulted = c.Policy.WorkflowIDs[0], true
	}
	if slices.Contains(c.Policy.BiometricWorkflowIDs, d.workflowID) && d.vendorData == "" && d.valid("vendor_data") {
		d.refuse("vendor_data", "is required by this workflow.")
	}
}

// valid reports whether the field has broken no rule so far.
func (d *draft) valid(path string) bool {
	return !slices.ContainsFunc(d.invalid, func(f FieldError) bool { return f.Field == path })
}
