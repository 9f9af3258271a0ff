package start

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// lines is a log that can be waited for.
type lines struct {
	mu      sync.Mutex
	written bytes.Buffer
	wrote   chan struct{}
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written.Write(line)
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Ensure that an answer that is sent twice, which net/http writes into the log of the process,
// shows nothing of itself there, and that other lines of package log stay as they are.
func TestSetLog(t *testing.T) { // not parallel: there is one such log
	before, flags, writer := slog.Default(), log.Flags(), log.Writer()
	t.Cleanup(func() { slog.SetDefault(before); log.SetFlags(flags); log.SetOutput(writer) })
	out := &lines{wrote: make(chan struct{}, 1)}
	setLog(slog.New(slog.NewJSONHandler(out, nil)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go answerTwice(listener)

	client := &http.Client{Transport: new(http.Transport)}
	response, err := client.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	<-out.wrote
	log.Print("another line")
	out.mu.Lock()
	defer out.mu.Unlock()
	text := out.written.String()
	if strings.Contains(text, "PLANTED") || strings.Contains(text, "HTTP/1.1") || strings.Count(text, "Unsolicited response") != 1 {
		t.Errorf("got the log %s, want a line about the second answer without what is in it", text)
	}
	if !strings.Contains(text, `"msg":"another line"`) {
		t.Errorf("got the log %s, want another line in it", text)
	}
}

// answerTwice answers one request with two answers.
func answerTwice(listener net.Listener) {
	connection, err := listener.Accept()
	if err != nil {
		return
	}
	defer connection.Close()
	in := bufio.NewReader(connection)
	if _, err := http.ReadRequest(in); err != nil {
		return
	}
	const body = `{"session_token":"PLANTED"}`
	answer := fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	_, _ = io.WriteString(connection, answer+answer)
	_, _ = in.ReadByte() // until the client closes
}
