// Package leaktest ends the tests of a package when none of their goroutines is left. Only tests import it.
package leaktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long what is ending may take to end. goleak by itself waits less than half a second, in which a busy machine may not come to it.
const patience = 20 * time.Second

// Main is a TestMain: it runs the tests, and fails where a goroutine stays behind that is not among those that are kept.
func Main(m *testing.M, kept ...goleak.Option) { goleak.VerifyTestMain(tests{m, kept}, kept...) }

type tests struct {
	*testing.M
	kept []goleak.Option
}

// Run runs the tests, and waits for their goroutines.
func (t tests) Run() int {
	code := t.M.Run()
	for end := time.Now().Add(patience); code == 0 && goleak.Find(t.kept...) != nil && time.Now().Before(end); {
	}
	return code
}
