// Package e2e holds bcdev's tests with other people's programs: client libraries and tools from
// npm, an app written in Node, and a real browser. The tests start the program as its users do,
// against its own sandbox, on loopback. They are a module of their own, so that bcdev's module
// needs none of what they need; ./run installs that and runs them.
package e2e
