package verification

import (
	"strings"
	"testing"
	"time"
)

// Ensure that a rule takes and refuses what it should, with a word of advice.
func TestRules(t *testing.T) {
	t.Parallel()
	const taken = ""
	for _, rule := range []struct {
		name  string
		check func(string) string
		cases map[string]string // value → what the refusal says
	}{
		{"uuid", checkUUID, map[string]string{
			workflow: taken, strings.ToUpper(otherWorkflow): taken,
			"11111111222233334444555555555555": "UUID", "{" + workflow + "}": "UUID", "urn:uuid:" + workflow: "UUID",
			workflow + "\n": "UUID", " " + workflow: "UUID", "g" + workflow[1:]: "UUID", "kyc": "UUID", "*": "UUID",
		}},
		{"e-mail", checkEmail, map[string]string{
			"jane@example.com": taken, "jane+tag@sub.example.co.uk": taken, "o'brien@example.com": taken, "j@1.example": taken,
			"jane": "e-mail", "jane@": "e-mail", "@example.com": "e-mail", "jane@example": "whole domain", "jane@localhost": "whole domain",
			"Jane <jane@example.com>": "e-mail", "<jane@example.com>": "e-mail", "jane@example.com, joe@example.com": "e-mail",
			"jane@example.com ": "e-mail", "jane@example.com\r\nBcc: joe@example.com": "e-mail", "jane doe@example.com": "e-mail",
			"jane@@example.com": "e-mail", "jane@example..com": "e-mail", "jane@.example.com": "e-mail", "jane@example.com.": "e-mail",
			"jane.@example.com": "e-mail", `"jane doe"@example.com`: "e-mail", "jane@example.com (Jane)": "e-mail", "mailto:jane@example.com": "e-mail",
		}},
		{"phone", checkPhone, map[string]string{
			"+14155552671": taken, "+1234567": taken, "+123456789012345": taken,
			"14155552671": "must begin with +", "0014155552671": "must begin with +", "(415) 555-2671": "must begin with +", "tel:+14155552671": "must begin with +",
			"+123456": "7 to 15 digits", "+1234567890123456": "7 to 15 digits", "+01234567": "7 to 15 digits", "+1 415 555 2671": "7 to 15 digits",
			"+1415555267a": "7 to 15 digits", "+1415-555-2671": "7 to 15 digits", "++14155552671": "7 to 15 digits", "+": "7 to 15 digits",
			"+14155552671\n": "7 to 15 digits", "+١٤١٥٥٥٥٢٦٧١": "7 to 15 digits",
		}},
		{"language", checkLanguage, map[string]string{
			"en": taken, "fil": taken, "pt-BR": taken, "zh-CN": taken, "es-419": "language", "e": "language", "EN": "language", "pt_BR": "language",
			"en-": "language", "en-U": "language", "english": "language", "en-US-x": "language", "en\n": "language",
		}},
		{"ip", checkIP, map[string]string{
			"192.0.2.1": taken, "::1": taken, "2001:db8::1": taken, "192.0.2.256": "IPv4", "192.0.2": "IPv4", "192.0.2.1/24": "IPv4",
			"192.0.2.01": "IPv4", "fe80::1%eth0": "IPv4", "[::1]": "IPv4", "192.0.2.1:80": "IPv4", "localhost": "IPv4",
		}},
		{"scenario", checkSlug, map[string]string{
			"approve": taken, "decline_minimum_age": taken, "a-b_1": taken, "Approve": "lower case", "_approve": "lower case", "a__b": "lower case",
			"a b": "lower case", "approve\n": "lower case", "../x": "lower case",
		}},
		{"gender", oneOf("M", "F"), map[string]string{"M": taken, "F": taken, "m": "M, F", "X": "M, F", "male": "M, F"}},
		{"callback method", oneOf("initiator", "completer", "both"), map[string]string{"both": taken, "BOTH": "initiator", "none": "initiator"}},
		{"portrait", checkPortrait, map[string]string{
			"QUI=": taken, "QUJD": taken, "QUI": "base64, with padding", "QUJD!": "base64", "QU-_": "base64", "data:image/png;base64,QUJD": "base64",
		}},
	} {
		for value, says := range rule.cases {
			t.Run(rule.name+"/"+value, func(t *testing.T) {
				t.Parallel()
				got := rule.check(value)
				if says == taken && got != "" {
					t.Errorf("%q: got %q, want it taken", value, got)
				}
				if says != taken && !strings.Contains(got, says) {
					t.Errorf("%q: got %q, want it refused with %q", value, got, says)
				}
			})
		}
	}
}

// Ensure that the size of a portrait is that of the picture, not of its text.
func TestCheckPortrait_size(t *testing.T) {
	t.Parallel()
	const most = 2 << 20
	for _, test := range []struct {
		bytes int
		taken bool
	}{{most - 1, true}, {most, true}, {most + 1, false}, {most + 2, false}, {most + 3, false}, {2 * most, false}} {
		got := checkPortrait(zeros(test.bytes))
		if taken := got == ""; taken != test.taken || !taken && !strings.Contains(got, "2 MB") {
			t.Errorf("%d bytes: got %q, want taken %v", test.bytes, got, test.taken)
		}
		// MIME's lines have 76 characters.
		for _, lineBreak := range []string{"\n", "\r\n"} {
			if got := checkPortrait(strings.ReplaceAll(zeros(test.bytes), strings.Repeat("A", 76), strings.Repeat("A", 76)+lineBreak)); (got == "") != test.taken {
				t.Errorf("%d bytes in lines: got %q, want taken %v", test.bytes, got, test.taken)
			}
		}
	}
}

func TestCheckDate(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	const past, future, unreal = "", "must not be in the future.", "must be a real date, written YYYY-MM-DD."
	for _, test := range []struct{ day, now, want string }{
		{"1990-01-31", "2026-11-23T12:00:00Z", past},
		{"2026-11-23", "2026-11-23T00:00:00Z", past},
		// The day begins on Kiritimati, at UTC+14.
		{"2026-11-24", "2026-11-23T09:59:59Z", future},
		{"2026-11-24", "2026-11-23T10:00:00Z", past},
		{"2026-11-24", "2026-11-23T23:59:59+14:00", future},
		{"2026-11-24", "2026-11-24T00:00:00+14:00", past},
		{"2026-11-24", "2026-11-22T22:00:00-12:00", past},
		{"2026-11-25", "2026-11-23T23:59:59Z", future},
		{"2027-01-01", "2026-12-31T09:00:00Z", future},
		{"9999-12-31", "2026-11-23T12:00:00Z", future},
		{"2024-02-29", "2026-11-23T12:00:00Z", past},
		{"2023-02-29", "2026-11-23T12:00:00Z", unreal},
		{"1900-02-29", "2026-11-23T12:00:00Z", unreal},
		{"1990-02-30", "2026-11-23T12:00:00Z", unreal},
		{"2030-02-30", "2026-11-23T12:00:00Z", unreal},
		{"1990-13-01", "2026-11-23T12:00:00Z", unreal},
		{"1990-00-10", "2026-11-23T12:00:00Z", unreal},
		{"1990-1-2", "2026-11-23T12:00:00Z", unreal},
		{"90-01-02", "2026-11-23T12:00:00Z", unreal},
		{"31/01/1990", "2026-11-23T12:00:00Z", unreal},
		{"19900131", "2026-11-23T12:00:00Z", unreal},
		{"1990-01-31T00:00:00Z", "2026-11-23T12:00:00Z", unreal},
		{" 1990-01-31", "2026-11-23T12:00:00Z", unreal},
	} {
		if got := checkDate(test.day, at(test.now)); got != test.want {
			t.Errorf("%s at %s: got %q, want %q", test.day, test.now, got, test.want)
		}
	}
}

// Ensure that create asks the service's clock, and the machine's where there is none.
func TestCreator_Create_clock(t *testing.T) {
	t.Parallel()
	body := func(day string) string { return bodyWith("expected_details.date_of_birth", quote(day), "") }
	clockAt := func(year int) func() time.Time {
		return func() time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
	}
	now := time.Now().UTC()
	for _, test := range []struct {
		name  string
		now   func() time.Time
		day   string
		taken bool
	}{
		{"before the day", clockAt(1980), "1990-01-31", false},
		{"after the day", clockAt(2000), "1990-01-31", true},
		{"no clock, yesterday", nil, now.AddDate(0, 0, -1).Format(time.DateOnly), true},
		{"no clock, in three days", nil, now.AddDate(0, 0, 3).Format(time.DateOnly), false},
	} {
		s := newCreator(new(recorder))
		s.Now = test.now
		_, err := create(t, s, trusted, body(test.day))
		if taken := err == nil; taken != test.taken {
			t.Errorf("%s: %s: got %v %q, want taken %v", test.name, test.day, err, fieldsOf(err), test.taken)
		}
		if err != nil {
			wantRefusal(t, test.day, AsError(err), CodeInvalidRequest, "expected_details.date_of_birth")
		}
	}
}

func TestCheckDocumentTypes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ list, says string }{
		{`["P"]`, ""}, {`["p","iD"]`, ""}, {`["P","ID","DL","RP","HIC","TC","SSC"]`, ""},
		{`[]`, "at least one"}, {`["PASSPORT"]`, "must be an array of P, ID"}, {`["P",""]`, "must be an array"}, {`["P",null]`, "must be an array"},
		{`["P",1]`, "must be an array"}, {`[["P"]]`, "must be an array"}, {`["P "]`, "must be an array"},
		{`[` + strings.Repeat(`"P",`, 14) + `"p"]`, ""},
	} {
		body := bodyWith("expected_details.expected_document_types", test.list, "")
		if test.says == "" {
			accepted(t, newCreator(nil).Policy, trusted, body)
			continue
		}
		e := refused(t, newCreator(nil).Policy, trusted, body)
		wantRefusal(t, body, e, CodeInvalidRequest, "expected_details.expected_document_types")
		if got := e.Fields[0].Message; !strings.Contains(got, test.says) {
			t.Errorf("%s: got %q, want %q", test.list, got, test.says)
		}
	}
}

// Ensure that each document type is sent once, in whatever case it was named first.
func TestCheckDocumentTypes_once(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		`["P"]`: `["P"]`, `["P","p"]`: `["P"]`, `["p","P"]`: `["p"]`, `["P","P","P"]`: `["P"]`, `["P","ID","p","iD","Dl"]`: `["P","ID","Dl"]`,
		`["\u0050" , "p"]`: `["P"]`, `["id","Dl","RP","HIC","TC","SSC","P","ID"]`: `["id","Dl","RP","HIC","TC","SSC","P"]`,
	} {
		body := bodyWith("expected_details.expected_document_types", list, "")
		sent := accepted(t, newCreator(nil).Policy, trusted, body).Get("expected_details").Get("expected_document_types")
		if got := string(sent.Raw); got != want {
			t.Errorf("%s: Didit got %s, want %s", list, got, want)
		}
	}
}
