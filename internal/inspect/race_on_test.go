//go:build race

package inspect

// raceFactor is how much more time things may take under the race detector.
const raceFactor = 10
