// Package spenttest tells tests what something costs in processor time, which depends on what it does, where time by the clock depends on
// what else the machine does. Only tests import it.
package spenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"
)

// On is the processor time that f takes on its own goroutine; where the system does not tell, the time by the clock.
func On(t testing.TB, f func()) time.Duration {
	t.Helper()
	return on(t, f)
}

// usual is what a piece of work takes on the machines that limits were set for.
const usual = 2 * time.Millisecond

// Slower is how many times as slow as those this machine is now, and 1 where it is faster: processor time, too, gets longer when somebody
// else has the other half of the core, or the caches.
func Slower(t testing.TB) float64 {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, sha256.Size)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	least := time.Hour
	for range 10 {
		least = min(least, On(t, func() {
			sha256.Sum256(block)
			for range 5 {
				if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
					t.Fatal("a signature does not verify")
				}
			}
		}))
	}
	return max(float64(least)/float64(usual), 1)
}
