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
	// maxLogs is how many bytes of output are kept, far more than a few thousand invocations write.
	maxLogs = 8 << 20

	// pipeSize is the capacity of a pipe (Linux: pipe(7)), and so the most that was written before
	// a flush began and is not read yet.
	pipeSize = 64 << 10

	// errorLines is how many log lines an error quotes.
	errorLines = 20
)

// logSink collects what a process writes into a pipe. A goroutine follows the pipe; flush empties
// it on demand, so that with an answer a caller sees every line that was written before it.
type logSink struct {
	pipe *os.File
	conn syscall.RawConn
	tee  io.Writer

	mu    sync.Mutex
	kept  []byte
	chunk [pipeSize]byte
}

// newLogSink returns a sink, and the end of its pipe for the process.
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

// flush reads all that has been written so far.
func (s *logSink) flush() {
	s.conn.Control(func(fd uintptr) { s.drain(fd) })
}

// close stops following. What was read stays available.
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
	return lines[max(0, len(lines)-errorLines):]
}
