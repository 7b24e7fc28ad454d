package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// systemSignals are the signals that ask a program to end.
func systemSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// interrupts returns a context that the first signal ends, and a channel that the second one
// closes: the first asks, the second takes.
func interrupts(parent context.Context, signals <-chan os.Signal) (ctx context.Context, taken <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	second, done := make(chan struct{}), make(chan struct{})
	go func() {
		for n := 0; n < 2; n++ {
			select {
			case <-signals:
				if n == 1 {
					close(second)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, second, func() {
		close(done)
		cancel()
	}
}
