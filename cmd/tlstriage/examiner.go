package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// examiner judges the chains of backends for the data path. It remembers each for a minute: a busy proxy sees the same few on
// every connection, and dates are checked often enough.
type examiner struct {
	roots *x509.CertPool
	known []*x509.Certificate // may stand in for one that was not sent; never trusted

	mu   sync.Mutex
	seen map[[sha256.Size]byte]examination
}

// examination is what came of one chain.
type examination struct {
	at    time.Time
	fault error               // everything that a verifying client would refuse it for; nil: nothing
	path  []*x509.Certificate // to a trusted root, the leaf first; nil: there is none
}

const (
	examinedFor = time.Minute
	maxExamined = 256
)

func (e *examiner) examine(presented [][]byte, name string) examination {
	digest := sha256.New()
	for _, part := range append([][]byte{[]byte(name)}, presented...) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		digest.Write(length[:])
		digest.Write(part)
	}
	key, now := [sha256.Size]byte(digest.Sum(nil)), time.Now()
	e.mu.Lock()
	known, ok := e.seen[key]
	e.mu.Unlock()
	if ok && now.Sub(known.at) < examinedFor {
		return known
	}
	report := chain.Examine(presented, chain.Options{Name: name, Roots: e.roots, Known: e.known, Time: now})
	x := examination{at: now}
	var faults []error
	for _, f := range report.Faults {
		if f.Fatal {
			faults = append(faults, fmt.Errorf("%s: %s", f.ID, f.Detail))
		}
	}
	x.fault = errors.Join(faults...)
	if len(report.Verified) > 0 {
		x.path = report.Verified[0]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil || len(e.seen) >= maxExamined {
		e.seen = map[[sha256.Size]byte]examination{}
	}
	e.seen[key] = x
	return x
}
