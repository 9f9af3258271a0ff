package didittest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// An order is the body of a create request, checked.
type order struct {
	WorkflowID string
	VendorData *string
	Callback   *string
	Language   *string
	Metadata   json.RawMessage // nil if none was sent
	raw        json.RawMessage
}

// readOrder checks the body as Didit does, or, where Didit's rule is not published, as the framework under it does.
// The refusal, if any, reports all wrong fields at once. Unknown fields are ignored, and so is a bad phone number.
func (s *Server) readOrder(body []byte) (o order, refusal *answer) {
	refuse := func(a answer) (order, *answer) { return order{}, &a }
	if len(body) == 0 {
		body = []byte("{}") // the framework reads no body as no data
	}
	var v any
	if err := decodeOne(body, &v); err != nil {
		return refuse(detail(http.StatusBadRequest, "JSON parse error - "+position(body, err)))
	}
	if _, ok := v.(map[string]any); !ok {
		return refuse(jsonAnswer(http.StatusBadRequest,
			report{"non_field_errors": []string{"Invalid data. Expected a dictionary."}}))
	}
	var in object
	if err := json.Unmarshal(body, &in); err != nil {
		return refuse(detail(http.StatusBadRequest, "JSON parse error - "+err.Error()))
	}
	wrong := report{}
	o = order{
		WorkflowID: s.checkWorkflow(in, wrong),
		VendorData: in.text("vendor_data", wrong, nil),
		Callback:   in.text("callback", wrong, isURL),
		Language:   in.text("language", wrong, isLanguage),
		raw:        bytes.Clone(body),
	}
	if m := in["metadata"]; m != nil && string(m) != "null" {
		o.Metadata = m
	}
	in.text("callback_method", wrong, oneOf("initiator", "completer", "both"))
	in.text("portrait_image", wrong, isPortrait)
	in.nested("contact_details", wrong, checkContact)
	in.nested("expected_details", wrong, checkExpected)
	if len(wrong) > 0 {
		return refuse(jsonAnswer(http.StatusBadRequest, wrong))
	}
	return o, nil
}

// checkWorkflow returns the workflow id in lower case. Didit reports an unknown one by a plain string.
func (s *Server) checkWorkflow(in object, wrong report) string {
	raw, sent := in["workflow_id"]
	var id string
	switch err := json.Unmarshal(raw, &id); {
	case !sent:
		wrong["workflow_id"] = []string{"This field is required."}
	case string(raw) == "null":
		wrong["workflow_id"] = []string{"This field may not be null."}
	case err != nil || !uuidForm.MatchString(id) || !s.offers(id):
		wrong["workflow_id"] = "Invalid workflow_id."
	}
	return strings.ToLower(id)
}

// offers reports whether the workflow exists.
func (s *Server) offers(workflowID string) bool {
	return len(s.Workflows) == 0 ||
		slices.ContainsFunc(s.Workflows, func(w string) bool { return strings.EqualFold(w, workflowID) })
}

// decodeOne decodes a body that is exactly one JSON document.
func decodeOne(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON document")
	}
	return nil
}

// position says where a body stops being JSON, in the words of Didit's parser.
func position(body []byte, err error) string {
	at := len(body)
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		at = min(at, max(0, int(syntax.Offset)-1))
	}
	before := body[:at]
	line := bytes.Count(before, []byte("\n")) + 1
	column := at - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("Expecting value: line %d column %d (char %d)", line, column, at)
}
