package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A question is something that only the operator knows. Its answer comes from its flag, from its
// variable, or from a prompt, in this order.
type question struct {
	flag     string // name of the flag; of a secret, -NAME-stdin reads it from standard input
	variable string // name of the variable
	prompt   string // what the operator reads, without a colon
	usage    string // what the flag's help and the list of missing answers say
	hidden   bool   // it is not echoed
	secret   bool   // it is hidden, and never an argument
	// parameter is the template's parameter that the answer sets; empty: none.
	parameter string
	// optional lets an empty answer pass; a pipeline that leaves it out gets fallback.
	optional bool
	// fallback is the answer to an empty line, and is shown in parentheses.
	fallback string
	// check returns the answer in the form to use, or one sentence that says what is wrong with it.
	// It must not quote a hidden answer. nil accepts everything.
	check func(ctx context.Context, answer string) (string, error)
}

const (
	maxAnswer = 64 << 10 // bytes of an answer
	maxTries  = 3        // wrong answers to one prompt
)

// registerQuestions adds the flags of the questions; given collects those that are set.
func registerQuestions(flags *flag.FlagSet, questions []*question, given map[string]string, stdin io.Reader) {
	for _, q := range questions {
		if !q.secret {
			flags.Func(q.flag, fmt.Sprintf("%s (variable %s)", q.usage, q.variable), func(value string) error {
				given[q.flag] = value
				return nil
			})
			continue
		}
		usage := fmt.Sprintf("read from standard input: %s (variable %s)", q.usage, q.variable)
		flags.BoolFunc(q.flag+"-stdin", usage, func(string) error {
			text, err := io.ReadAll(io.LimitReader(stdin, maxAnswer+1))
			if err == nil && len(text) > maxAnswer {
				err = fmt.Errorf("standard input has more than %d bytes", maxAnswer)
			}
			given[q.flag] = string(text)
			return err
		})
	}
}

// ask returns the answer to a question. Without a terminal, and with CI=true, a missing or wrong
// answer is collected for [ops.complete], and ask returns an empty one: a verb asks all that it
// needs, and calls complete before it acts.
func (o *ops) ask(ctx context.Context, q *question) (string, error) {
	if value, name := o.given(q); name != "" {
		answer, err := q.accept(ctx, value)
		if err != nil {
			o.missing = append(o.missing, fmt.Sprintf("%s: %v", name, err))
		}
		return answer, nil
	}
	if !o.interactive() {
		if !q.optional && q.fallback == "" {
			o.missing = append(o.missing, fmt.Sprintf("%s is missing (%s): %s", q.variable, q.flagName(), q.usage))
		}
		return q.fallback, nil
	}
	return o.prompt(ctx, q)
}

// setting is [ops.ask] for what has a default and is worth no prompt.
func (o *ops) setting(ctx context.Context, q *question) (string, error) {
	if o.known(q) {
		return o.ask(ctx, q)
	}
	return q.fallback, nil
}

// known reports whether the question has an answer already, which needs no prompt.
func (o *ops) known(q *question) bool {
	_, name := o.given(q)
	return name != ""
}

// given returns the answer that a flag or a variable holds, and which of them.
func (o *ops) given(q *question) (value, name string) {
	if value, ok := o.flags[q.flag]; ok {
		return value, q.flagName()
	}
	if value := o.getenv(q.variable); value != "" {
		return value, q.variable
	}
	return "", ""
}

func (q *question) flagName() string {
	if q.secret {
		return "-" + q.flag + "-stdin"
	}
	return "-" + q.flag
}

// complete returns an error that lists all answers that were missing or wrong.
func (o *ops) complete() error {
	switch {
	case len(o.missing) == 0:
		return nil
	case len(o.missing) == 1:
		return blind(errors.New(o.missing[0]))
	}
	list := strings.Join(o.missing, "\n  ")
	return blind(fmt.Errorf("%d answers are missing or wrong:\n  %s", len(o.missing), list))
}

// accept normalizes and checks an answer.
func (q *question) accept(ctx context.Context, answer string) (string, error) {
	answer = strings.TrimSpace(answer)
	switch {
	case len(answer) > maxAnswer:
		return "", fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	case strings.ContainsFunc(answer, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("the answer holds a line break or another control character; paste one line")
	case answer == "" && q.fallback != "":
		return q.fallback, nil
	case answer == "" && q.optional:
		return "", nil
	case answer == "":
		return "", errors.New("an answer is needed")
	case q.check == nil:
		return answer, nil
	}
	answer, err := q.check(ctx, answer)
	if err != nil {
		return "", err
	}
	return answer, nil
}

// prompt asks on the terminal, again after a wrong answer.
func (o *ops) prompt(ctx context.Context, q *question) (string, error) {
	for tries := 1; ; tries++ {
		label := q.prompt
		if q.fallback != "" {
			label += " (" + q.fallback + ")"
		}
		if !strings.HasSuffix(label, ">") && !(q.optional && strings.HasSuffix(label, ")")) {
			label += ":"
		}
		line, err := o.readLine(ctx, label+" ", q.hidden || q.secret)
		if err != nil {
			return "", err
		}
		answer, err := q.accept(ctx, line)
		if err == nil {
			return answer, nil
		}
		o.say("  %v", err)
		if ctx.Err() != nil || isBlind(err) {
			return "", err
		}
		if tries == maxTries {
			return "", blind(fmt.Errorf("%d wrong answers; start again, or set %s", maxTries, q.variable))
		}
	}
}

// choose returns the index of one of the options. It shows them, numbered from 1.
func (o *ops) choose(ctx context.Context, q *question, options []string) (int, error) {
	asked := *q
	asked.check = func(_ context.Context, answer string) (string, error) {
		for i, option := range options {
			if answer == fmt.Sprint(i+1) || answer == option {
				return fmt.Sprint(i), nil
			}
		}
		return "", fmt.Errorf("the answer must be a number from 1 to %d", len(options))
	}
	if o.interactive() && !o.known(q) {
		if line := q.prompt; line != "" { // otherwise the caller has shown them
			for i, option := range options {
				line += fmt.Sprintf("  [%d] %s", i+1, option)
			}
			o.say("%s", line)
		}
		asked.prompt = "  >"
	}
	answer, err := o.ask(ctx, &asked)
	if err != nil || answer == "" {
		return -1, err
	}
	var index int
	_, err = fmt.Sscan(answer, &index)
	return index, err
}

// readLine shows the prompt and returns one line of standard input.
func (c *console) readLine(ctx context.Context, prompt string, hidden bool) (string, error) {
	if hidden {
		defer c.hide()()
	}
	fmt.Fprint(c.screen(), prompt)
	type result struct {
		line string
		err  error
	}
	lines := make(chan result, 1)
	go func() { // it cannot be interrupted, and ends with the process
		if hidden {
			line, err := c.readHidden()
			lines <- result{line, err}
			return
		}
		if c.lines == nil {
			c.lines = bufio.NewReader(c.in)
		}
		line, err := c.lines.ReadString('\n')
		if line != "" {
			err = nil
		}
		lines <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(c.screen())
		return "", ctx.Err()
	case r := <-lines:
		if hidden || r.err != nil {
			fmt.Fprintln(c.screen())
		}
		if r.err != nil {
			return "", blind(errors.New("standard input ended before the answer"))
		}
		return r.line, nil
	}
}
