//go:build !race

package capture

// many is how many exchanges the test of the search plans is made of.
const many = 50_000

// raceEnabled: the race detector allocates by itself.
const raceEnabled = false
