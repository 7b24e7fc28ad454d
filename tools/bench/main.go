// Command bench measures bcdev against its rivals in one run and prints ratios. Every rival is a
// process of its own with the same upstream: TLS, keep-alive, on loopback. The rounds are
// interleaved and the ratios are medians of same-round pairs, so that a machine whose speed
// drifts disturbs them little.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// settings of a run.
type settings struct {
	bcdev    string        // the binary to measure
	rounds   int           // interleaved rounds
	duration time.Duration // of one measurement
	soak     time.Duration // a long run against a bad upstream instead; 0: none
}

func main() {
	role := flag.String("role", "", "internal: upstream or reverse")
	target := flag.String("target", "", "internal: upstream of a rival")
	ca := flag.String("ca", "", "internal: PEM file of the upstream's certificate")
	var s settings
	flag.StringVar(&s.bcdev, "bcdev", "bin/bcdev", "the binary to measure")
	flag.IntVar(&s.rounds, "rounds", 5, "interleaved rounds")
	flag.DurationVar(&s.duration, "duration", 2*time.Second, "of one measurement")
	flag.DurationVar(&s.soak, "soak", 0, "instead of measuring, run so long against an upstream with 1 % resets and 1 % 429")
	flag.Parse()
	if err := run(*role, *target, *ca, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(role, target, ca string, s settings) error {
	switch role {
	case "upstream":
		return upstream(ca)
	case "reverse":
		return reverse(target, ca)
	}
	stage, err := openStage(s)
	if err != nil {
		return err
	}
	defer stage.close()
	if s.soak > 0 {
		return stage.endure()
	}
	for _, part := range []func() error{stage.throughput, stage.latency, stage.streams, stage.memory, stage.starts} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}
