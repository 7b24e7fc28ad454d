package capture_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bcdev/capture"
)

// TestMain lets the test binary be the program that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("BCDEV_TEST_JOURNAL"); path != "" {
		writeUntilKilled(path)
		return
	}
	os.Exit(m.Run())
}

func writeUntilKilled(path string) {
	j, err := capture.Open(path, capture.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		id, err := j.Add(context.Background(), capture.Exchange{Kind: capture.Hook, Target: "/webhooks"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(id)
	}
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "BCDEV_TEST_JOURNAL="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	last := ""
	for range 50 {
		if !lines.Scan() {
			t.Fatalf("it ended after %q", last)
		}
		last = lines.Text()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	j := openAt(t, path, capture.Options{})
	if e := get(t, j, last); e.Target != "/webhooks" {
		t.Errorf("%s is %+v", last, e)
	}
	u, err := j.Usage(context.Background())
	if err != nil || u.Exchanges < 50 {
		t.Errorf("usage %+v, %v", u, err)
	}
}
