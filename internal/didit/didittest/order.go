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
	workflowID                     string
	vendorData, callback, language *string         // nil if not sent
	metadata                       json.RawMessage // nil if not sent
	body                           json.RawMessage
}

// readOrder checks the body as Didit does or, where Didit publishes no rule, as the framework under
// it does. The refusal, if any, reports all wrong fields at once. Unknown fields are ignored, and
// so is a bad phone number.
func (s *Server) readOrder(body []byte) (o order, refusal *answer) {
	refuse := func(a answer) (order, *answer) { return order{}, &a }
	if len(body) == 0 {
		body = []byte("{}") // the framework reads no body as no data
	}
	var in object
	err := decodeOne(body, &in)
	wrongType := new(json.UnmarshalTypeError)
	if errors.As(err, &wrongType) || err == nil && in == nil {
		return refuse(jsonAnswer(http.StatusBadRequest, report{"non_field_errors": list(notADictionary)}))
	}
	if err != nil {
		return refuse(detail(http.StatusBadRequest, "JSON parse error - "+position(body, err)))
	}
	wrong := report{}
	o = order{workflowID: s.checkWorkflow(in, wrong), body: bytes.Clone(body)}
	texts := in.texts(sessionFields, wrong)
	o.vendorData, o.callback, o.language = texts["vendor_data"], texts["callback"], texts["language"]
	if in.has("metadata") {
		o.metadata = in["metadata"]
	}
	in.nested("contact_details", wrong, checkContact)
	in.nested("expected_details", wrong, checkExpected)
	if len(wrong) > 0 {
		return refuse(jsonAnswer(http.StatusBadRequest, wrong))
	}
	return o, nil
}

// checkWorkflow returns the workflow id in lower case. Didit reports an unknown one by a plain
// string rather than a list.
func (s *Server) checkWorkflow(in object, wrong report) string {
	raw, sent := in["workflow_id"]
	var id string
	switch err := json.Unmarshal(raw, &id); {
	case !sent:
		wrong["workflow_id"] = list("This field is required.")
	case string(raw) == "null":
		wrong["workflow_id"] = list("This field may not be null.")
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

// position says where a body becomes invalid JSON, in the words of Didit's parser.
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
