package verification_test

import (
	"cmp"
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// wire is Didit's decision endpoint without the network.
type wire struct {
	mu     sync.Mutex
	asked  []string                                  // ids of the sessions
	answer func(id string, r *http.Request) response // nil: 404
}

type response struct {
	status     int
	body       string
	retryAfter string
	err        error // instead of an answer
}

// says answers with a status of the session.
func says(status string) func(string, *http.Request) response {
	return func(id string, _ *http.Request) response {
		return response{status: 200, body: `{"session_id":"` + id + `","status":"` + status + `"}`}
	}
}

func fails(status int) func(string, *http.Request) response {
	return func(string, *http.Request) response { return response{status: status, body: `{"detail":"Not found."}`} }
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v3/session/"), "/decision/")
	w.mu.Lock()
	w.asked = append(w.asked, id)
	answer := w.answer
	w.mu.Unlock()
	a := response{status: 404, body: `{"detail":"Not found."}`}
	if answer != nil {
		a = answer(id, r)
	}
	if a.err != nil {
		return nil, a.err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r}, nil
}

// set changes what Didit answers from now on.
func (w *wire) set(answer func(string, *http.Request) response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// count is how many requests arrived.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func (w *wire) client() *didit.Client {
	return &didit.Client{APIURL: "https://didit.test", Transport: w, Credentials: &didit.CredentialCache{
		Read: func(context.Context) (string, error) { return `{"api_key":"key"}`, nil }}}
}

// backend is all that a tracker needs, with every call in sight.
type backend struct {
	store verification.Store
	bus   verification.Bus
	tasks verification.Tasks
	didit verification.Statuses
	// call makes each call, or does something else.
	call func(name string, make func() error) error
}

func (b *backend) Add(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	err = b.call("Add", func() (err error) { was, known, err = b.store.Add(ctx, r); return err })
	return was, known, err
}

func (b *backend) Record(ctx context.Context, id string) (r verification.Record, ok bool, err error) {
	err = b.call("Record", func() (err error) { r, ok, err = b.store.Record(ctx, id); return err })
	return r, ok, err
}

func (b *backend) RecentRecord(ctx context.Context, id string) (r verification.Record, ok bool, err error) {
	err = b.call("RecentRecord", func() (err error) { r, ok, err = b.store.RecentRecord(ctx, id); return err })
	return r, ok, err
}

func (b *backend) Replace(ctx context.Context, r verification.Record) (ok bool, err error) {
	err = b.call("Replace "+r.Status, func() (err error) { ok, err = b.store.Replace(ctx, r); return err })
	return ok, err
}

func (b *backend) Remove(ctx context.Context, r verification.Record) (ok bool, err error) {
	err = b.call("Remove", func() (err error) { ok, err = b.store.Remove(ctx, r); return err })
	return ok, err
}

func (b *backend) ByOwner(ctx context.Context, vendorData string, most int) (all []verification.Record, err error) {
	err = b.call("ByOwner", func() (err error) { all, err = b.store.ByOwner(ctx, vendorData, most); return err })
	return all, err
}

func (b *backend) Owned(ctx context.Context, vendorData string) iter.Seq2[string, error] {
	return b.list("Owned", b.store.Owned(ctx, vendorData))
}

func (b *backend) MarkErased(ctx context.Context, r verification.Record) (marked, gone bool, err error) {
	name := "MarkErased"
	if r.Gone {
		name = "MarkErased gone"
	}
	err = b.call(name, func() (err error) { marked, gone, err = b.store.MarkErased(ctx, r); return err })
	return marked, gone, err
}

func (b *backend) Strip(ctx context.Context, id string) error {
	return b.call("Strip", func() error { return b.store.Strip(ctx, id) })
}

func (b *backend) Latest(ctx context.Context, vendorData string, most int) (all []verification.Record, err error) {
	err = b.call("Latest", func() (err error) { all, err = b.store.Latest(ctx, vendorData, most); return err })
	return all, err
}

func (b *backend) Due(ctx context.Context, class verification.Class, now time.Time) iter.Seq2[string, error] {
	return b.list("Due", b.store.Due(ctx, class, now))
}

// list makes a call that lists sessions.
func (b *backend) list(name string, ids iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var listed []string
		err := b.call(name, func() (err error) { listed, err = all(ids); return err })
		for _, id := range listed {
			if !yield(id, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// all returns a list, and the error that ended it.
func all(list iter.Seq2[string, error]) (ids []string, err error) {
	for id, err := range list {
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (b *backend) Enroll(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	err = b.call("Enroll", func() (err error) { was, known, err = b.store.Enroll(ctx, r); return err })
	return was, known, err
}

func (b *backend) Claim(ctx context.Context, id string, at time.Time, pause time.Duration) (r verification.Record, ok bool, err error) {
	err = b.call("Claim", func() (err error) { r, ok, err = b.store.Claim(ctx, id, at, pause); return err })
	return r, ok, err
}

func (b *backend) AddToken(ctx context.Context, id, token string) error {
	return b.call("AddToken", func() error { return b.store.AddToken(ctx, id, token) })
}

func (b *backend) Tokens(ctx context.Context, id string) (tokens []string, err error) {
	err = b.call("Tokens", func() (err error) { tokens, err = b.store.Tokens(ctx, id); return err })
	return tokens, err
}

func (b *backend) RemoveToken(ctx context.Context, id, token string) error {
	return b.call("RemoveToken", func() error { return b.store.RemoveToken(ctx, id, token) })
}

func (b *backend) TakeReadBudget(ctx context.Context, reader verification.Reader, at time.Time, most int) (ok bool, err error) {
	err = b.call("TakeReadBudget", func() (err error) { ok, err = b.store.TakeReadBudget(ctx, reader, at, most); return err })
	return ok, err
}

func (b *backend) Publish(ctx context.Context, e verification.Event) error {
	return b.call("Publish "+cmp.Or(e.Status, e.DetailType()), func() error { return b.bus.Publish(ctx, e) })
}

func (b *backend) Succeed(ctx context.Context, token string, output []byte) error {
	return b.call("Succeed", func() error { return b.tasks.Succeed(ctx, token, output) })
}

func (b *backend) Fail(ctx context.Context, token, name, cause string) error {
	return b.call("Fail "+name, func() error { return b.tasks.Fail(ctx, token, name, cause) })
}

func (b *backend) Status(ctx context.Context, id string) (d didit.Decision, err error) {
	err = b.call("Decision", func() (err error) { d, err = b.didit.Status(ctx, id); return err })
	return d, err
}

func (b *backend) APIVersion(ctx context.Context) (didit.Version, error) {
	return b.didit.APIVersion(ctx)
}
