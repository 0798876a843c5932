package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

// chainJudge judges chains that are looked at by themselves: it asks about their revocation, and fetches what lacks, as far as it is told.
type chainJudge struct {
	judge   *diagnose.Diagnoser
	fetch   bool          // what lacks in a chain
	timeout time.Duration // of what is asked about one chain, and of what is fetched for it
	when    time.Time     // zero: now

	fetcher *revocation.Fetcher
	checker *revocation.Checker
	off     bool // revocation is not looked into but for what is stapled
}

// open makes what asks and fetches. The caller must close.
func (j *chainJudge) open(mode string, hosts []string) error {
	m, err := revocation.ParseMode(mode)
	if err != nil {
		return fmt.Errorf("--revocation: %w", err)
	}
	if j.fetcher, err = revocation.NewFetcher(revocation.FetchOptions{AllowHosts: hosts}); err != nil {
		return fmt.Errorf("--revocation-host: %w", err)
	}
	if j.off = m == revocation.Off; j.off {
		m = revocation.Staple // what is stapled can be read without asking anybody
	}
	j.checker, err = revocation.New(revocation.Options{Mode: m, Fetcher: j.fetcher, Now: j.now})
	return err
}

func (j *chainJudge) now() time.Time {
	if !j.when.IsZero() {
		return j.when
	}
	return time.Now()
}

func (j *chainJudge) close() {
	if j.checker != nil {
		j.checker.Close()
	}
	if j.fetcher != nil {
		j.fetcher.Close()
	}
}

// look asks about revocation, fetches what lacks, and judges.
func (j *chainJudge) look(ctx context.Context, r *inspect.Connection) {
	leg := r.BackendLeg
	presented := presentedBytes(leg)
	judge := j.judge
	var found []*x509.Certificate
	var failure error
	if j.fetch && len(presented) > 0 {
		bounded, cancel := context.WithTimeout(ctx, j.timeout)
		found, failure = fetchMissing(bounded, j.fetcher, presented, j.judge.Roots, j.now())
		cancel()
		if len(found) > 0 {
			judge = j.judge.Knowing(found...)
		}
	}
	if path := trustedPath(presented, judge.Roots, leg.ServerName, j.now()); path != nil {
		bounded, cancel := context.WithTimeout(ctx, j.timeout)
		status := j.checker.Check(bounded, path, stapleOf(leg))
		cancel()
		if j.off {
			recordStaple(leg, &status)
		} else {
			recordRevocation(leg, &status)
		}
	}
	judge.Diagnose(r)
	sayFetched(r, found, failure)
}
