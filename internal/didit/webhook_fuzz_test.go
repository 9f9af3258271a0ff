package didit

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// Nothing makes the verifier panic, and no bit of a signed delivery can be turned without it
// being noticed. Of the two signatures, that of the document allows what does not change the
// document.
func FuzzVerify(f *testing.F) {
	for i, v := range vectors(f) {
		f.Add(v.body(), v.Header["X-Signature"], v.Header["X-Signature-V2"], uint(i)*7919)
	}
	const secret = "fuzz"
	verifier := &Verifier{
		Secrets:   always(WebhookSecrets{Current: secret}),
		Now:       func() time.Time { return time.Unix(1_780_045_100, 0) },
		Tolerance: 100 * 365 * 24 * time.Hour,
	}
	f.Fuzz(func(t *testing.T, body []byte, plain, v2 string, bit uint) {
		verify := func(header map[string]string, body []byte) (WebhookEvent, error) {
			e, err := verifier.Verify(t.Context(), vector{Header: header}.header(), body)
			if w, ok := errors.AsType[*WebhookError](err); err != nil && (!ok || w.Kind == "") {
				t.Errorf("%q: got %v, want a refusal of a known kind", body, err)
			}
			return e, err
		}
		if _, err := verify(map[string]string{"X-Signature": plain, "X-Signature-V2": v2}, body); err == nil {
			t.Errorf("%q, %q, %q: accepted, although signed with another secret", body, plain, v2)
		}
		goodPlain, goodV2, err := SignWebhook(body, secret)
		if err != nil || len(body) == 0 {
			return
		}
		want, err := verify(map[string]string{"X-Signature": goodPlain}, body)
		if byV2, errV2 := verify(map[string]string{"X-Signature-V2": goodV2}, body); newDelivery(nil, body).forms() == nil {
			if !isMismatch(errV2) {
				t.Errorf("%q: got %v, %v by the document, want a mismatch", body, byV2, errV2)
			}
		} else if (err == nil) != (errV2 == nil) || !reflect.DeepEqual(byV2, want) {
			t.Errorf("%q: got %v, %v by the document, %v, %v by the bytes", body, byV2, errV2, want, err)
		}
		turned := flip(body, bit)
		if e, err := verify(map[string]string{"X-Signature": goodPlain}, turned); !isMismatch(err) {
			t.Errorf("%q for %q: got %v, %v, want a mismatch", turned, body, e, err)
		}
		if e, err := verify(map[string]string{"X-Signature-V2": goodV2}, turned); !isMismatch(err) && !sameDocument(turned, body) {
			t.Errorf("%q for %q by V2: got %v, %v, want a mismatch", turned, body, e, err)
		}
		signature := string(flip([]byte(goodPlain), bit))
		if e, err := verify(map[string]string{"X-Signature": signature}, body); err == nil && !bytes.EqualFold([]byte(signature), []byte(goodPlain)) {
			t.Errorf("%q under %q: got %v, want a refusal", body, signature, e)
		}
	})
}

// flip turns one bit.
func flip(b []byte, bit uint) []byte {
	b = bytes.Clone(b)
	bit %= uint(len(b)) * 8
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

func isMismatch(err error) bool {
	e, ok := errors.AsType[*WebhookError](err)
	return ok && e.Kind == WebhookMismatch
}

// sameDocument compares as encoding/json understands both; numbers that no float holds, by their
// text.
func sameDocument(a, b []byte) bool {
	x, errX := understood(a)
	y, errY := understood(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func understood(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return asFloats(v), err
}

// asFloats replaces the numbers in a document by the floats that they are, as far as they are.
func asFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asFloats(v[name])
		}
	}
	return v
}

// The canonical form of a document says the same as the document, and is its own canonical form.
func FuzzCanonical(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.body())
	}
	for _, seed := range []string{
		` null `, `-`, `01`, `1.`, `.5`, `1e`, `+1`, `"\u00"`, `"\ud83d\ude00\ud83d"`, `"\ud83d\u0041"`, `"\x"`, "\"\x00\"", `{"a":1,}`, `[,]`, `{"a" 1}`,
		`{"b":[1,{"c":null}],"a":"é"}`, `[1e400,-1e-400,1e308]`, "\ufeff{}", `tru`, `nullx`, `[[]] []`, `{"":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		v, err := parseUnsigned(document)
		if _, duplicate := parseWebhook(document); err != nil || duplicate != nil {
			return
		}
		form := canonical(v)
		again, err := parseUnsigned(form)
		if err != nil || !bytes.Equal(canonical(again), form) {
			t.Fatalf("%q: form %q becomes %q, %v", document, form, canonical(again), err)
		}
		asSent := appendCanonical(nil, v, func(to, number []byte) []byte { return append(to, number...) })
		if want := encoded(t, document); !beyondEncoder.Match(asSent) && !bytes.Equal(asSent, want) {
			t.Errorf("%q: got %q, want %q", document, asSent, want)
		}
		var x, y any
		if json.Unmarshal(document, &x) == nil && (json.Unmarshal(form, &y) != nil || !reflect.DeepEqual(x, y)) {
			t.Errorf("%q: form %q says something else", document, form)
		}
	})
}

// beyondEncoder finds what encoding/json cannot write as it should be: it escapes U+2028 and
// U+2029, and puts U+FFFD for half of a surrogate pair.
var beyondEncoder = regexp.MustCompile("[\u2028\u2029]|\\\\ud")

// encoded is the canonical form by encoding/json, with numbers as they were sent.
func encoded(t *testing.T, document []byte) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
