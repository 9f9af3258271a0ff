package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
)

// router is where all of AWS seems to be, for the functions, for this test, and for moto itself: its
// interpreter of state machines invokes functions at MOTO_PORT, where moto has none.
type router struct {
	moto, table http.Handler
	lambda      atomic.Pointer[invoker]
}

// newRouter knows no place of functions yet. Without a table's, moto plays the table.
func newRouter(moto, table string) (*router, error) {
	r := &router{}
	target, err := url.Parse(moto)
	if err != nil {
		return nil, err
	}
	r.moto = proxy(target)
	r.table = r.moto
	if table != "" {
		if target, err = url.Parse(table); err != nil {
			return nil, err
		}
		r.table = proxy(target)
	}
	return r, nil
}

// setLambda says where functions are invoked.
func (h *router) setLambda(url string) { h.lambda.Store(&invoker{url: url}) }

func proxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		// The caller sees the status, or is gone.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// ServeHTTP hands a request on.
func (h *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		if functions := h.lambda.Load(); functions != nil {
			functions.ServeHTTP(w, r)
			return
		}
		http.Error(w, "no function runs yet", http.StatusBadGateway)
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), dynamodb.target):
		h.table.ServeHTTP(w, r)
	default:
		h.moto.ServeHTTP(w, r)
	}
}
