//go:build !race

package chain_test

// raceFactor is how much slower the build is than the real one.
const raceFactor = 1
