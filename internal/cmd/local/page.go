package main

import (
	"bytes"
	_ "embed"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML []byte

// pagePolicy lets the page run its own script and call this origin, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'"

// page serves the page at /, and what it needs beside the API under /local/. The gateway gets every
// other request, its path unchanged.
func (s *system) page(gateway http.Handler) http.Handler {
	html := pageHTML
	if s.iam {
		html = bytes.Replace(html, []byte(`data-caller-auth="jwt"`), []byte(`data-caller-auth="iam"`), 1)
	}
	local := http.NewServeMux()
	local.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		_, _ = w.Write(html)
	})
	local.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	local.HandleFunc("GET /local/state", s.serveState)
	local.HandleFunc("POST /local/workflows", s.serveWorkflow)
	local.HandleFunc("POST /local/webhooks", s.serveWebhooks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		if strings.HasPrefix(r.URL.Path, "/local/") || read && (r.URL.Path == "/" || r.URL.Path == "/favicon.ico") {
			w.Header().Set("Cache-Control", "no-store")
			local.ServeHTTP(w, r)
			return
		}
		gateway.ServeHTTP(w, r)
	})
}
