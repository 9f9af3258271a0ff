package lambdatest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"didit-sessions/internal/awsfake"
)

// runtimeAPI returns the API that the function's process polls (AWS Lambda: Runtime API,
// 2018-06-01).
func (f *Function) runtimeAPI() http.Handler {
	const base = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", f.serveNext)
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		f.serveAnswer(w, r, false)
	})
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		f.serveAnswer(w, r, true)
	})
	mux.HandleFunc("POST "+base+"/init/error", f.serveInitError)
	return mux
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.polls == 0 {
		f.readyAt = time.Now()
		close(f.ready)
	}
	f.polls++
	f.mu.Unlock()
	select {
	case inv := <-f.queue:
		f.send(w, inv)
	case <-r.Context().Done():
	case <-f.exited:
	}
}

func (f *Function) send(w http.ResponseWriter, inv *invocation) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(inv.payload)))
	header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	header.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:"+awsfake.Region+":"+awsfake.Account+":function:"+f.options.Name)
	header.Set("Lambda-Runtime-Trace-Id", newTraceID())

	f.mu.Lock()
	inv.sentAt = time.Now()
	f.running[inv.id] = inv
	f.mu.Unlock()
	deadline := inv.sentAt.Add(f.options.Timeout)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	w.Write(inv.payload)
}

func (f *Function) serveAnswer(w http.ResponseWriter, r *http.Request, failed bool) {
	id := r.PathValue("id")
	f.mu.Lock()
	inv := f.running[id]
	f.mu.Unlock()
	if inv == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxAnswer+1))
	if err != nil {
		// The process is ending, which Invoke reports.
		return
	}
	f.mu.Lock()
	delete(f.running, id)
	f.answers++
	f.mu.Unlock()
	if len(body) > MaxAnswer {
		inv.answer <- answer{err: fmt.Errorf("%w: more than %d bytes", ErrAnswerTooLarge, MaxAnswer)}
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxAnswer))
		return
	}
	result := Result{RequestID: id, Payload: body, AnsweredAt: time.Now(), failed: failed}
	result.Duration = result.AnsweredAt.Sub(inv.sentAt)
	if failed {
		result.ErrorType, result.ErrorMessage = parseFailure(r.Header, body)
	}
	inv.answer <- answer{result: result}
	accept(w)
}

func (f *Function) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxAnswer))
	if err != nil {
		return
	}
	failure := &InitError{Logs: f.logs.lastLines()}
	failure.ErrorType, failure.ErrorMessage = parseFailure(r.Header, body)
	f.mu.Lock()
	if f.initError == nil {
		f.initError = failure
		close(f.initFailed)
	}
	f.mu.Unlock()
	accept(w)
}

// parseFailure reads an error document. The error type is also in a header, in case the document is
// not JSON.
func parseFailure(header http.Header, body []byte) (errorType, message string) {
	var document struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &document) != nil {
		document.ErrorMessage = string(body)
	}
	return cmp.Or(document.ErrorType, header.Get("Lambda-Runtime-Function-Error-Type")), document.ErrorMessage
}

func accept(w http.ResponseWriter) { reply(w, http.StatusAccepted, map[string]string{"status": "OK"}) }

func refuse(w http.ResponseWriter, status int, errorType, message string) {
	reply(w, status, map[string]string{"errorType": errorType, "errorMessage": message})
}

func reply(w http.ResponseWriter, status int, document map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}
