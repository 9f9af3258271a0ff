// Package watch holds only tests: of what operators see of the built functions, and what it costs
// them.
package watch
