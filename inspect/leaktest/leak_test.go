package leaktest

import (
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// What ends a second after the tests is awaited: did Main not, this package would fail.
func TestWhatIsEndingIsAwaited(*testing.T) {
	go func() { <-time.After(time.Second) }()
}
