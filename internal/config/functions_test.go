package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// loaders are the loaders of the functions that follow sessions, each with the variables that it
// needs.
var loaders = map[string]struct {
	load     func(func(string) string) (any, error)
	required []string
}{
	"getsession":    {func(f func(string) string) (any, error) { return LoadGetSession(f) }, []string{DiditSecretID, TableName, EventBusName}},
	"webhook":       {func(f func(string) string) (any, error) { return LoadWebhook(f) }, []string{WebhookSecretID, TableName, EventBusName}},
	"trackstatus":   {func(f func(string) string) (any, error) { return LoadTrackStatus(f) }, []string{TableName}},
	"awaitdecision": {func(f func(string) string) (any, error) { return LoadAwaitDecision(f) }, []string{DiditSecretID, TableName, EventBusName}},
	"reconcile":     {func(f func(string) string) (any, error) { return LoadReconcile(f) }, []string{DiditSecretID, TableName, EventBusName}},
	"eraseuser":     {func(f func(string) string) (any, error) { return LoadEraseUser(f) }, []string{DiditSecretID, TableName, EventBusName}},
	"getdecision":   {func(f func(string) string) (any, error) { return LoadGetDecision(f) }, []string{DiditSecretID}},
}

// everything sets every variable that some function needs.
var everything = map[string]string{DiditSecretID: "didit/api", WebhookSecretID: "didit/webhook", TableName: "sessions", EventBusName: "sessions"}

func from(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// names are the variables that an error names.
func names(err error) []string {
	var found []string
	for _, line := range problems(err) {
		name, _, _ := strings.Cut(line, " ")
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

// Ensure that each function names what it lacks, and asks for nothing that it does not need.
func TestLoad_required(t *testing.T) {
	t.Parallel()
	for name, l := range loaders {
		if _, err := l.load(from(everything)); err != nil {
			t.Errorf("%s, with all that is required: got %v", name, err)
		}
		want := slices.Sorted(slices.Values(l.required))
		if _, err := l.load(from(nil)); !slices.Equal(names(err), want) {
			t.Errorf("%s, with nothing set: got problems of %q, want %q", name, names(err), want)
		}
	}
}

func TestLoad_defaults(t *testing.T) {
	t.Parallel()
	table := Table{Name: "sessions", Retention: 1095 * 24 * time.Hour, ReconcileAfter: 15 * time.Minute}
	didit := Didit{SecretID: "didit/api"}
	for name, want := range map[string]any{
		"getsession":    GetSession{Didit: didit, Callers: Callers{PrincipalClaim: "sub"}, Table: table, BusName: "sessions"},
		"webhook":       Webhook{SecretID: "didit/webhook", Tolerance: 15 * time.Minute, TableName: "sessions", BusName: "sessions"},
		"trackstatus":   TrackStatus{Table: table},
		"awaitdecision": AwaitDecision{Didit: didit, Table: table, BusName: "sessions"},
		"reconcile":     Reconcile{Didit: didit, Table: table, BusName: "sessions"},
		"getdecision":   GetDecision{Didit: didit},
		"eraseuser":     EraseUser{Didit: didit, TableName: "sessions", BusName: "sessions"},
	} {
		if got, err := loaders[name].load(from(everything)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, error %v, want %+v", name, got, err, want)
		}
	}
}

func TestLoad_durations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		function, variable, value string
		want                      time.Duration // 0: refused
	}{
		{"webhook", WebhookTolerance, "5m", 5 * time.Minute},
		{"webhook", WebhookTolerance, "90s", 90 * time.Second},
		{"webhook", WebhookTolerance, "24h", 24 * time.Hour},
		{"webhook", WebhookTolerance, "0s", 0},
		{"webhook", WebhookTolerance, "-5m", 0},
		{"webhook", WebhookTolerance, "25h", 0},
		{"webhook", WebhookTolerance, "15", 0},
		{"webhook", WebhookTolerance, "a while", 0},
		{"reconcile", ReconcileAfter, "1h", time.Hour},
		{"reconcile", ReconcileAfter, "30s", 0},
		{"reconcile", ReconcileAfter, "48h", 0},
		{"reconcile", ReconcileAfter, "15 minutes", 0},
	} {
		values := maps.Clone(everything)
		values[test.variable] = test.value
		loaded, err := loaders[test.function].load(from(values))
		if test.want == 0 {
			if got := names(err); !slices.Equal(got, []string{test.variable}) {
				t.Errorf("%s=%q: got %v, want one problem that names it", test.variable, test.value, err)
			}
			continue
		}
		var got time.Duration
		switch c := loaded.(type) {
		case Webhook:
			got = c.Tolerance
		case Reconcile:
			got = c.Table.ReconcileAfter
		default:
			err = errors.New("not loaded")
		}
		if err != nil || got != test.want {
			t.Errorf("%s=%q: got %v, error %v, want %v", test.variable, test.value, got, err, test.want)
		}
	}
}

// Ensure that the reads of a minute are an even number, of which each reader gets half.
func TestLoad_readsPerMinute(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"": 0, "2": 2, "50": 50, "600": 600, "0": -1, "1": -1, "51": -1, "602": -1, "-2": -1, "fifty": -1, "5e1": -1} {
		for _, function := range []string{"getsession", "reconcile"} {
			values := maps.Clone(everything)
			values[ReadsPerMinute] = value
			loaded, err := loaders[function].load(from(values))
			if want < 0 {
				if got := names(err); !slices.Equal(got, []string{ReadsPerMinute}) {
					t.Errorf("%s, %q: got %v, want one problem that names it", function, value, err)
				}
				continue
			}
			got := -1
			switch c := loaded.(type) {
			case GetSession:
				got = c.ReadsPerMinute
			case Reconcile:
				got = c.ReadsPerMinute
			}
			if err != nil || got != want {
				t.Errorf("%s, %q: got %d, error %v, want %d", function, value, got, err, want)
			}
		}
	}
}
