package cli

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/deliver"
	"bcdev/tunnel"
)

// Exit codes. Ctrl-C of a running command that did its work is exitFine.
const (
	exitFine        = 0
	exitFailed      = 1          // the work failed
	exitUsage       = 2          // usage or configuration
	exitDown        = 3          // nothing is running, or the link is down
	exitInterrupted = exitFailed // a second Ctrl-C gave up what the first one waited for
)

// exitError gives an error its exit code and its next step.
type exitError struct {
	code int
	err  error
	next string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Hint says what to do next: our own word, else the cause's.
func (e *exitError) Hint() string {
	if e.next != "" {
		return e.next
	}
	var h interface{ Hint() string }
	if errors.As(e.err, &h) {
		return h.Hint()
	}
	return ""
}

// saidError is an error that was shown already, as an event or a table.
type saidError struct{ code int }

func (e *saidError) Error() string { return "failed" }

func usage(c *cobra.Command, err error) error {
	return &exitError{exitUsage, err, fmt.Sprintf("run %q to see how it is used", c.CommandPath()+" --help")}
}

func failed(next, format string, args ...any) error {
	return &exitError{exitFailed, fmt.Errorf(format, args...), next}
}

func misused(next, format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...), next}
}

func down(next, format string, args ...any) error {
	return &exitError{exitDown, fmt.Errorf(format, args...), next}
}

func exitCode(err error) int {
	var said *saidError
	if errors.As(err, &said) {
		return said.code
	}
	var known *exitError
	if errors.As(err, &known) {
		return known.code
	}
	if strings.HasPrefix(err.Error(), "unknown command") || misusing(err) {
		return exitUsage
	}
	return exitFailed
}

// misusing reports whether what was asked for cannot be, whatever the state of things.
func misusing(err error) bool {
	var problems config.Problems
	var target *deliver.TargetError
	var trigger *deliver.TriggerError
	var event *bigcommerce.UnknownEventError
	return errors.As(err, &problems) || errors.As(err, &target) || errors.As(err, &trigger) || errors.As(err, &event)
}

// brokenPipe reports that the reader of our output went away, which is its right.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// problemCode is the code of an error as an event.
func problemCode(err error) string {
	var refused *tunnel.Error
	var problems config.Problems
	switch {
	case errors.As(err, &refused) && refused.Code != "":
		return refused.Code
	case errors.As(err, &problems):
		return configCode(problems)
	}
	switch exitCode(err) {
	case exitUsage:
		return "usage"
	case exitDown:
		return "down"
	}
	return "failed"
}

// configCode is the code that all problems share, as one alone does.
func configCode(problems config.Problems) string {
	for _, p := range problems {
		if p.Code == "" || p.Code != problems[0].Code {
			return "bad_config"
		}
	}
	return problems[0].Code
}
