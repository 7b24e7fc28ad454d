//go:build race

package capture

// many is how many exchanges the test of the search plans is made of: fewer where SQLite, which
// is translated to Go, runs a hundred times slower.
const many = 6_000

// raceEnabled: the race detector allocates by itself.
const raceEnabled = true
