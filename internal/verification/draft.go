package verification

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// draft is a request under validation: what was sent, by path, and what is wrong with it.
type draft struct {
	invalid       []FieldError
	texts         map[string]string
	flags         map[string]bool
	documentTypes []string
	objects       map[string]bool // which of the two objects were sent
	metadata      json.RawMessage
	extra         map[string]json.RawMessage
	workflowID    string
	defaulted     bool // the workflow comes from the configuration
	vendorData    string
}

// draft reads and validates all fields of the request.
func (s *Service) draft(r CreateRequest) *draft {
	d := &draft{invalid: slices.Clone(r.Invalid), texts: map[string]string{}, flags: map[string]bool{},
		objects: map[string]bool{}, extra: map[string]json.RawMessage{}}
	for _, m := range r.Fields.Members {
		if slices.Contains(s.Policy.ExtraFields, m.Name) && !KnownField(m.Name) {
			d.extra[m.Name] = m.Value.Raw
			continue
		}
		if path := FieldPath("", m.Name); dotted(m.Name) {
			d.refuse(path, unknownField, false)
		} else {
			d.take(path, m.Value)
		}
	}
	s.checkRelations(d, r.Caller)
	return d
}

func (d *draft) refuse(path, message string, private bool) {
	d.invalid = append(d.invalid, FieldError{Field: path, Message: message, Private: private})
}

// take reads the field at a path, and the fields within it.
func (d *draft) take(path string, v Value) {
	p, known := findParameter(path)
	switch {
	case !known:
		d.refuse(path, unknownField, false)
	case v.Kind == Null:
	case p.kind == anyKind:
		d.metadata = v.Raw
		if len(v.Raw) > mostMetadata {
			d.refuse(path, "must not be longer than "+strconv.Itoa(mostMetadata)+" bytes.", false)
		}
	case v.Kind != p.kind:
		d.refuse(path, "must be "+kindWords[p.kind]+", not "+kindWords[v.Kind]+".", false)
	case v.Kind == Text:
		d.takeText(p, v.Text)
	case v.Kind == Flag:
		d.flags[path] = v.Flag
	case v.Kind == List:
		if problem := checkDocumentTypes(v.Items); problem != "" {
			d.refuse(path, problem, false)
			return
		}
		for _, item := range v.Items {
			d.documentTypes = append(d.documentTypes, item.Text)
		}
	case v.Kind == Object:
		d.objects[path] = true
		for _, m := range v.Members {
			d.take(FieldPath(path, m.Name), m.Value)
		}
	}
}

func (d *draft) takeText(p parameter, text string) {
	d.texts[p.path] = text
	if problem := p.checkText(text); problem != "" {
		// Only the rules for countries quote the value, to suggest the right one.
		d.refuse(p.path, problem, strings.HasPrefix(problem, text))
	}
}

// checkRelations applies the rules that need more than one field, the policy or the clock.
func (s *Service) checkRelations(d *draft, caller Caller) {
	const details = "expected_details."
	if day, ok := d.texts[details+"date_of_birth"]; ok && d.valid(details+"date_of_birth") {
		if problem := checkDate(day, s.now()); problem != "" {
			d.refuse(details+"date_of_birth", problem, false)
		}
	}
	if d.texts[details+"address"] != "" && d.texts[details+"country"] == "" &&
		d.texts[details+"id_country"] == "" && d.texts[details+"poa_country"] == "" {
		d.refuse(details+"address", "needs expected_details.country, id_country or poa_country beside it.", false)
	}
	if callback, ok := d.texts["callback"]; ok && !caller.Trusted && d.valid("callback") {
		u, _ := parseCallback(callback)
		if !slices.ContainsFunc(s.Policy.AllowedCallbacks, func(p CallbackPrefix) bool { return p.allows(u) }) {
			d.refuse("callback", "is not on the list of callbacks of this deployment.", false)
		}
	}
	s.chooseWorkflow(d, caller)
}

func (s *Service) chooseWorkflow(d *draft, caller Caller) {
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
	case s.Policy.AnyWorkflow || len(s.Policy.WorkflowIDs) == 0:
		d.refuse("workflow_id", "is required.", false)
	default:
		d.workflowID, d.defaulted = s.Policy.WorkflowIDs[0], true
	}
	if slices.Contains(s.Policy.BiometricWorkflowIDs, d.workflowID) && d.vendorData == "" && d.valid("vendor_data") {
		d.refuse("vendor_data", "is required by this workflow.", false)
	}
}

// valid reports whether nothing is wrong with the field so far.
func (d *draft) valid(path string) bool {
	return !slices.ContainsFunc(d.invalid, func(f FieldError) bool { return f.Field == path })
}
