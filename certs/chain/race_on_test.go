//go:build race

package chain_test

// raceFactor is how much slower the build is than the real one: the race detector watches every step of big-number arithmetic.
const raceFactor = 20
