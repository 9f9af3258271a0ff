package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
)

//go:embed page.html
var pageHTML []byte

// page serves the page at / and what it needs beside the API, and leaves all else to the gateway.
func (s *system) page(gateway http.Handler) http.Handler {
	mux := http.NewServeMux()
	html := bytes.Replace(pageHTML, []byte(`data-caller-auth="jwt"`), []byte(`data-caller-auth="`+s.callerAuth+`"`), 1)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'")
		_, _ = w.Write(html)
	})
	// What Didit knows of a session, for the page to show live.
	mux.HandleFunc("GET /local/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.simulator.Session(r.PathValue("id"))
		if !ok {
			message(w, http.StatusNotFound, "Not Found")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"status": session.Status})
	})
	mux.Handle("/", gateway)
	return mux
}
