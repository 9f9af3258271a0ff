//go:build system

package systemtest

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
)

// router plays all of AWS at one address, for the functions, for this test, and for moto itself:
// its interpreter of state machines invokes functions at MOTO_PORT, where moto has none.
type router struct {
	moto, table http.Handler
	lambda      atomic.Pointer[invoker] // nil: no function runs yet
}

// newRouter returns a router without functions. With table "", moto plays the table.
func newRouter(moto, table string) (*router, error) {
	target, err := url.Parse(moto)
	if err != nil {
		return nil, err
	}
	r := &router{moto: proxy(target), table: proxy(target)}
	if table != "" {
		if target, err = url.Parse(table); err != nil {
			return nil, err
		}
		r.table = proxy(target)
	}
	return r, nil
}

// setLambda sets the URL at which functions are invoked.
func (h *router) setLambda(url string) { h.lambda.Store(&invoker{url: url}) }

func proxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		// The client sees the status, or has gone.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

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
