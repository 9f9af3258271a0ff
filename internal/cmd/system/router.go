package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// router is where all of AWS seems to be, for the functions, for this test, and for moto itself: its
// interpreter of state machines invokes functions at MOTO_PORT, where moto has none.
type router struct {
	moto, table, lambda http.Handler
}

func newRouter(moto, table, lambda string) (*router, error) {
	r := &router{}
	for address, handler := range map[string]*http.Handler{moto: &r.moto, lambda: &r.lambda} {
		target, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		*handler = proxy(target)
	}
	r.table = r.moto
	if table != "" {
		target, err := url.Parse(table)
		if err != nil {
			return nil, err
		}
		r.table = proxy(target)
	}
	return r, nil
}

func proxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		// Who asked is told by the status, and asks no more where it has left.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// ServeHTTP hands a request on.
func (h *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		h.lambda.ServeHTTP(w, r)
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), dynamodb.target):
		h.table.ServeHTTP(w, r)
	default:
		h.moto.ServeHTTP(w, r)
	}
}
