package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be bcdev too: stories and README commands run the program itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bcdev": main})
}

// TestStories runs the command-line stories of testdata/script, each in a folder and a state
// folder of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BCDEV_STATE_DIR", e.WorkDir+"/state")
			e.Setenv("BCDEV_NO_KEYRING", "1")
			e.Setenv("HOME", e.WorkDir+"/home")
			return os.Mkdir(e.WorkDir+"/home", 0o700)
		},
	})
}
