package lambdatest

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
)

const (
	// maxLogs bounds what a function's output may occupy; a run of a few
	// thousand invocations stays far below it.
	maxLogs = 8 << 20

	// pipeSize is what a pipe holds at most before its writer waits (Linux:
	// pipe(7)); whatever was written before a flush began is within it.
	pipeSize = 64 << 10

	lastLogLines = 20
)

// logSink collects what a process writes into a pipe. Pulling the pipe empty
// on demand, beside the goroutine that follows it, is what lets a caller see
// every line written before an answer as soon as the answer is there.
type logSink struct {
	pipe *os.File
	conn syscall.RawConn
	tee  io.Writer

	mu    sync.Mutex
	kept  []byte
	chunk [pipeSize]byte
}

// newLogSink returns a sink and the pipe's other end, for the process.
func newLogSink(tee io.Writer) (*logSink, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	conn, err := r.SyscallConn()
	if err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	return &logSink{pipe: r, conn: conn, tee: tee}, w, nil
}

// follow reads until the pipe ends or is closed.
func (s *logSink) follow() {
	for ended := false; !ended; {
		err := s.conn.Read(func(fd uintptr) bool {
			var empty bool
			empty, ended = s.drain(fd)
			return !empty
		})
		ended = ended || err != nil
	}
}

// flush takes in whatever has been written so far.
func (s *logSink) flush() {
	s.conn.Control(func(fd uintptr) { s.drain(fd) })
}

// close stops following; what came in stays readable.
func (s *logSink) close() {
	s.flush()
	s.pipe.Close()
}

func (s *logSink) drain(fd uintptr) (empty, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for total := 0; total < pipeSize; {
		n, again := readNow(fd, s.chunk[:])
		if again {
			return true, false
		}
		if n <= 0 {
			return false, true
		}
		s.add(s.chunk[:n])
		total += n
	}
	return false, false
}

func (s *logSink) add(b []byte) {
	if s.tee != nil {
		s.tee.Write(b)
	}
	s.kept = append(s.kept, b...)
	if len(s.kept) <= maxLogs {
		return
	}
	newest := s.kept[len(s.kept)-maxLogs/2:]
	if i := bytes.IndexByte(newest, '\n'); i >= 0 {
		newest = newest[i+1:]
	}
	s.kept = bytes.Clone(newest)
}

func (s *logSink) bytes() []byte {
	s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.kept)
}

func (s *logSink) lines() []string {
	text := strings.TrimRight(string(s.bytes()), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (s *logSink) lastLines() []string {
	lines := s.lines()
	return lines[max(0, len(lines)-lastLogLines):]
}
