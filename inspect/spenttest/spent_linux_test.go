package spenttest

import (
	"testing"
	"time"
)

func TestWaitingCostsNothing(t *testing.T) {
	var slept time.Duration
	cost := On(t, func() {
		began := time.Now()
		timer := time.NewTimer(300 * time.Millisecond)
		<-timer.C
		slept = time.Since(began)
	})
	if cost > slept/2 {
		t.Errorf("%v of %v", cost, slept)
	}
}

func TestWorkCosts(t *testing.T) {
	var n uint64
	once := func(rounds int) time.Duration {
		return On(t, func() {
			for i := range rounds {
				n = n*6364136223846793005 + uint64(i)
			}
		})
	}
	if few, many := once(1000), once(200_000_000); many <= few || many < time.Millisecond {
		t.Errorf("few rounds cost %v, many %v, %d", few, many, n)
	}
}

func TestNoMachineIsSlowerThanItself(t *testing.T) {
	if factor := Slower(t); factor < 1 {
		t.Errorf("factor %v", factor)
	} else {
		t.Logf("factor %.2f", factor)
	}
}
