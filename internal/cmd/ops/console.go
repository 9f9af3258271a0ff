package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// console is how the tool talks to the operator.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	timing

	quiet bool          // -json: what is said goes to err
	lines *bufio.Reader // of in
	mu    sync.Mutex    // guards writes of progress
}

// variable returns the value of a variable of the environment, or the fallback.
func (c *console) variable(name, fallback string) string { return cmp.Or(c.getenv(name), fallback) }

// interactive reports whether there is a person to ask.
func (c *console) interactive() bool {
	return !isTrue(c.getenv("CI")) && isTerminal(c.in) && isTerminal(c.out)
}

func isTrue(s string) bool { return s == "true" || s == "1" }

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// hide stops the echo of the terminal and returns a function that restores its state. It comes
// before the prompt: what is pasted as soon as the prompt is there must not be echoed.
func (c *console) hide() (restore func()) {
	if file, ok := c.in.(*os.File); ok {
		fd := int(file.Fd())
		if state, err := term.GetState(fd); err == nil {
			hideInput(fd)
			return func() { _ = term.Restore(fd, state) }
		}
	}
	return func() {}
}

// readHidden reads a line of the terminal without an echo. What was pasted after the line is
// dropped: it may be the rest of a secret, which the next prompt would show.
func (c *console) readHidden() (string, error) {
	file, ok := c.in.(*os.File)
	if !ok {
		return "", errors.New("standard input is no terminal")
	}
	line, err := term.ReadPassword(int(file.Fd()))
	discardInput(int(file.Fd()))
	return string(line), err
}

// say prints a line.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.screen(), format+"\n", args...)
}

// screen is where people read; with -json that is not where the document goes.
func (c *console) screen() io.Writer {
	if c.quiet {
		return c.err
	}
	return c.out
}

// printJSON prints the one document of -json.
func (c *console) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

const (
	progressAfter = 2 * time.Second  // a step that takes longer shows that it goes on
	progressEvery = 30 * time.Second // without a terminal, where a line cannot be changed
)

// step runs work under a title. If the work takes longer than two seconds, it shows how long it has
// taken, and at the end the title with the time.
func (c *console) step(ctx context.Context, title string, work func(context.Context) error) error {
	begin := time.Now()
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { c.showProgress(title, begin, done) })
	err := work(ctx)
	close(done)
	shown.Wait()
	if took := time.Since(begin); err == nil && took > c.atMost(progressAfter) {
		c.say("%s %s.", title, short(took))
	}
	return err
}

func (c *console) showProgress(title string, begin time.Time, done <-chan struct{}) {
	terminal := isTerminal(c.screen())
	wait := c.atMost(progressAfter)
	for {
		select {
		case <-done:
			if terminal && time.Since(begin) > c.atMost(progressAfter) {
				fmt.Fprint(c.screen(), "\r\x1b[K")
			}
			return
		case <-time.After(wait):
		}
		if terminal {
			fmt.Fprintf(c.screen(), "\r\x1b[K%s %s …", title, short(time.Since(begin)))
			wait = time.Second
		} else {
			c.say("%s %s …", title, short(time.Since(begin)))
			wait = progressEvery
		}
	}
}

// short formats a duration for people: 180 ms, 23 s, 3 min 40 s.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// report prints the error of a verb and returns the exit status.
func (c *console) report(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		fmt.Fprintln(c.err, "Interrupted. Run the command again to finish; it repeats no finished step.")
		return exitBlind
	}
	if err == nil {
		return exitWell
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(c.err, text)
	}
	if isBlind(err) {
		return exitBlind
	}
	return exitWrong
}

// blindError is an error that kept the tool from finding out whether all is well.
type blindError struct{ error }

func (e blindError) Unwrap() error { return e.error }

// blind marks an error as one that ends with exit status 2: could not look.
func blind(err error) error { return blindError{err} }

func isBlind(err error) bool { return errors.As(err, new(blindError)) }

// errSilent ends a verb with status 1 after it has said all itself.
var errSilent = errors.New("")
