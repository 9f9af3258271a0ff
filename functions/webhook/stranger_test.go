package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

// costly are JSON texts that cost as much as a delivery of 1 MiB can, by name.
func costly() map[string]string {
	texts := stagetest.CostlyJSON(didit.MaxWebhookBytes - 2048)
	const values = 19_900 // with the rest of a delivery as many as are read before the sender is known
	var names strings.Builder
	for i := range values {
		fmt.Fprintf(&names, `"%040d":1.10,`, i*7919%values)
	}
	texts["names to sort"] = `{` + names.String() + `"":0}`
	names.Reset()
	for i := range values {
		i = i * 7919 % values
		fmt.Fprintf(&names, `"%c%s%c%017d":1.10,`, 'a'+i%26, strings.Repeat("x", 20), 'a'+i/26%26, i)
	}
	texts["names to sort, some of them alike"] = `{` + names.String() + `"":0}`
	const escapes = 9_900 // with the rest of a delivery as many as are read, too
	texts["names to sort, half of them with an escape"] = escapedNames(values, func(i int) int { return i / (values - escapes) })
	texts["names with many escapes to sort"] = escapedNames(escapes/9, func(i int) int { return 1 + i%17 })
	texts["names with too many escapes"] = escapedNames(values/2, func(i int) int { return 1 + i%17 })
	texts["a name with escapes"] = `{"` + strings.Repeat(`\"`+strings.Repeat("é", 50), escapes) + `":0}`
	texts["a name of escapes"] = `{"` + strings.Repeat(`\"`, 522_000) + `":0}`
	for name, value := range map[string]string{
		"strings": `"` + strings.Repeat("a", 40) + `"`, "strings with escapes": `"\ud83d\ude00\n\u0001` + strings.Repeat("é", 10) + `"`,
		"numbers": `-1234567890.123456789e-3`, "numbers between two floats": `9007199254740993.00001`, "numbers to round": `1.1e30`,
	} {
		texts[name] = `[` + strings.Repeat(value+`,`, values) + `0]`
	}
	texts["nothing"] = `0`
	return texts
}

// escapedNames is an object of so many names that all differ, in an order that has to be sorted,
// with so many escapes in each.
func escapedNames(names int, escapes func(i int) int) string {
	object := []byte(`{`)
	for i := range names {
		i = i * 7919 % names
		object = fmt.Appendf(object, `"%038d%s":1.10,`, i, strings.Repeat(`\"`, escapes(i)))
	}
	return string(object) + `"":0}`
}

// eventWith is the body of a delivery of now with a further member.
func eventWith(t *testing.T, value string) string {
	t.Helper()
	return strings.TrimSuffix(fresh(t, "http-approved"), "}") + `,"z":` + value + `}`
}

// forged are headers with every signature of Didit's, none of which matches.
func forged() map[string]string {
	headers := map[string]string{}
	for _, name := range []string{"x-signature", "x-signature-v2", "x-signature-previous", "x-signature-v2-previous"} {
		headers[name] = signature(name, "another secret")
	}
	return headers
}

// Ensure that a delivery of a stranger costs little, whatever is in it: 25 MiB beyond what the idle
// process has and, with COST_TESTS=1, 20 ms of a processor.
func TestStranger(t *testing.T) {
	t.Parallel()
	const (
		maxMemory = 25 << 20
		maxCPU    = 20 * time.Millisecond
	)
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	w.HTTP(t, deliver(t, forged(), "{}")) // reads the secrets twice
	idle := w.Usage().PeakMemory
	bodies := map[string]string{}
	for name, text := range costly() {
		bodies[name] = eventWith(t, text)
	}
	bodies["more than 1 MiB"] = strings.Repeat("a", 5<<20)
	bodies["more than 1 MiB of quotes"] = strings.Repeat(`"`, 3<<20-1<<10)
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		payload := deliver(t, forged(), bodies[name])
		status, code := 404, "signature_mismatch"
		if len(bodies[name]) > didit.MaxWebhookBytes {
			status, code = 413, "payload_too_large"
		}
		wantAnswer(t, w.HTTP(t, payload), status, code)
		if got := w.Usage().PeakMemory - idle; got > stagetest.MaxMemory(maxMemory) {
			t.Fatalf("%s: got %d KiB more than idle, want at most %d", name, got>>10, stagetest.MaxMemory(maxMemory)>>10)
		}
		if !stagetest.MeasuresCosts() {
			continue
		}
		if took := leastCPU(t, w, payload); took > maxCPU {
			t.Errorf("%s: got %v of a processor, want at most %v", name, took, maxCPU)
		}
	}
	if got := w.Bus.Calls(""); got != 0 {
		t.Errorf("got %d requests to the bus, want none", got)
	}
}

// leastCPU returns the time that a call takes of a processor, in steps of 2 ms. It is the least of
// a few measurements, because whatever else the machine does makes it longer.
func leastCPU(t *testing.T, w *stagetest.World, payload []byte) time.Duration {
	t.Helper()
	const calls = 5 // time is measured in steps of 10 ms
	least := time.Hour
	for range 6 {
		before := w.Usage()
		for range calls {
			w.HTTP(t, payload)
		}
		after := w.Usage()
		least = min(least, (after.UserCPU+after.SystemCPU-before.UserCPU-before.SystemCPU)/calls)
	}
	return least
}

// Ensure that what Didit has signed is taken, whatever is in it, as long as it is JSON without
// duplicate names.
func TestSigned(t *testing.T) {
	t.Parallel()
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
	texts := costly()
	texts["60,000 values"] = `{"hits":[` + strings.Repeat(`{"a":1,"b":["c"]},`, 15_000) + `0]}`
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		body := eventWith(t, texts[name])
		status, code := 200, ""
		switch name {
		case "nested too deep", "nested objects, too deep", "cut off", "bytes that are no text", // not JSON
			"one name again and again", "the empty name", "escaped names", "half surrogates as names", "a name within long names":
			status, code = 400, "invalid_request"
		}
		headers := map[string]string{"x-signature": signature(body, stage.WebhookSecret), "x-signature-v2": signature("", "another secret")}
		if a := w.HTTP(t, deliver(t, headers, body)); len(body) > didit.MaxWebhookBytes || a.Status != status {
			t.Errorf("%s, %d bytes: got %d %s, want %d %s", name, len(body), a.Status, a.Body, status, code)
		}
		// Without an id the hash of the whole is the event's.
		nameless := strings.Replace(body, `"event_id":"`+eventID+`",`, "", 1)
		headers["x-signature"] = signature(nameless, stage.WebhookSecret)
		if a := w.HTTP(t, deliver(t, headers, nameless)); nameless == body || a.Status != status {
			t.Errorf("%s, without an id: got %d %s, want %d %s", name, a.Status, a.Body, status, code)
		}
	}
}
