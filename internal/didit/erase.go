package didit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"didit-sessions/internal/strictjson"
)

const (
	// pageSize is how many sessions of a list are asked for at a time, Didit's default (Didit's
	// OpenAPI 3.0.0).
	pageSize = 50
	// maxListedSessions is how many sessions of one end user are listed.
	maxListedSessions = 50_000
)

// ListedSession is a session in a list of Didit's. It prints as its id.
type ListedSession struct {
	hidden
	ID         string  // lower-case, if it is a UUID
	VendorData *string // nil: none; the JSON of what is no Unicode string, so that it equals no other id
}

// ListSessions lists the sessions of an end user, page by page. Whether they are that end user's is
// for the caller to check: it is Didit who selects. An error ends the list; it is an [*Error], or
// that of the credential source. The request is made with v3 of the API and an API key, for which
// the client secret serves as well; it keeps to the client's pace.
func (c *Client) ListSessions(ctx context.Context, vendorData string) iter.Seq2[ListedSession, error] {
	return func(yield func(ListedSession, error) bool) {
		for offset := 0; ; {
			page, more, err := c.listSessions(ctx, vendorData, offset)
			if err == nil && offset+len(page) > maxListedSessions {
				err = &Error{Kind: KindUnexpected, Op: opListSessions, Reason: "more sessions than one end user can have"}
			}
			if err != nil {
				yield(ListedSession{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if offset += len(page); !more || len(page) == 0 {
				return
			}
		}
	}
}

// listSessions reads a page, and reports whether Didit has more.
func (c *Client) listSessions(ctx context.Context, vendorData string, offset int) (page []ListedSession, more bool, err error) {
	query := url.Values{"vendor_data": {vendorData}, "limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
	err = c.callWithKey(ctx, http.MethodGet, "/sessions/?"+query.Encode(), nil, exchange{
		op: opListSessions, retryable: true,
		read: func(a answer) (err error) {
			if err = decisionRefusal(a); err == nil {
				page, more, err = parsePage(a)
			}
			return err
		},
	})
	return page, more, err
}

// parsePage reads {count,next,previous,results}. A page that lists something without an id is
// worth nothing.
func parsePage(a answer) (page []ListedSession, more bool, err error) {
	document, ok := a.document()
	results := document.Get("results")
	if !ok || results.Kind() != strictjson.Array {
		return nil, false, a.unreadable("no list of sessions")
	}
	for item := range results.Items() {
		s := ListedSession{ID: strings.ToLower(text(item.Get("session_id"))), VendorData: nameOf(item.Get("vendor_data"))}
		if s.ID == "" {
			return nil, false, a.unreadable("a session without session_id")
		}
		page = append(page, s)
	}
	return page, document.Get("next").Text() != "", nil
}

// DeleteSession deletes a session. To Didit that is a soft deletion: no request finds the session
// any more, and Didit keeps its records. It returns an [*Error], of [KindNotFound] if Didit has no
// such session or the id is not a UUID, or the error of the credential source. The request is made
// like those of [Client.ListSessions], and once more if it gets no usable answer.
func (c *Client) DeleteSession(ctx context.Context, sessionID string) error {
	if !uuidForm.MatchString(sessionID) {
		return &Error{Kind: KindNotFound, Op: opDeleteSession, Reason: "the session id is not a UUID"}
	}
	return c.callWithKey(ctx, http.MethodDelete, "/session/"+strings.ToLower(sessionID)+"/delete/", nil, exchange{
		op: opDeleteSession, retryable: true, read: deletionRefusal})
}

// DeleteUser deletes the user of the vendor data, for good. It is no error if there is none.
// Sessions are not deleted with it, and errors and requests are those of [Client.DeleteSession].
func (c *Client) DeleteUser(ctx context.Context, vendorData string) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string][]string{"vendor_data_list": {vendorData}}); err != nil {
		return &Error{Kind: KindInvalidRequest, Op: opDeleteUser, Reason: "the vendor data cannot be encoded"}
	}
	return c.callWithKey(ctx, http.MethodPost, "/users/delete/", body.Bytes(), exchange{
		op: opDeleteUser, retryable: true, read: deletionRefusal})
}

// deletionRefusal returns the error for an answer to a deletion, nil for a success. Didit's pages
// disagree on which it is: 204, or 200 with a body.
func deletionRefusal(a answer) error {
	if a.status == http.StatusNoContent {
		return nil
	}
	return decisionRefusal(a)
}

// callWithKey is call with v3 of the API and an API key, which Didit's management API wants: with
// client credentials it is the client secret (Didit: Get credentials).
func (c *Client) callWithKey(ctx context.Context, method, path string, body []byte, x exchange) error {
	c.setup()
	return c.withCredentials(ctx, func(ctx context.Context, creds Credentials) (authorization, error) {
		key := cmp.Or(creds.APIKey, creds.ClientSecret)
		if !headerText(key) {
			return authorization{}, &Error{Kind: KindUnexpected, Op: x.op, Reason: "the client secret has characters that an HTTP header cannot have"}
		}
		return authorization{creds: Credentials{APIKey: key}}, nil
	}, func(ctx context.Context, auth authorization) error {
		x.paced = true
		x.build = c.request(method, "/"+string(V3)+path, body, auth)
		return c.send(ctx, x)
	})
}
