package verification

import (
	"bytes"
	"encoding/json"
)

// EncodeJSON is [json.Marshal] without the escaping of <, > and &: callers compare texts, and a web
// page is not among the readers.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
