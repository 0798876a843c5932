package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// revocations finds out about the revocation of chains for a plan, off the data path: a handshake is told what is known and
// never waits, but for the first one to a backend whose mode is require.
type revocations struct {
	fetcher  *revocation.Fetcher
	checkers map[configs.RevocationCheck]*revocation.Checker
	lists    []*revocation.Checker // of listeners with revocation lists
	staples  *revocation.Checker   // reads what is stapled where nothing more is wanted: that takes no request

	questions chan question
	openMu    sync.Mutex
	open      map[questionKey]bool // waits or is being asked: each connection would put the same again
	asking    sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context
}

// question is a chain that a checker does not know about yet.
type question struct {
	checker *revocation.Checker
	path    []*x509.Certificate
	staple  []byte
}

// questionKey tells questions apart: whom to ask, and about which certificate. What is stapled differs without another question.
type questionKey struct {
	checker *revocation.Checker
	leaf    [sha256.Size]byte
}

func (q *question) key() questionKey { return questionKey{q.checker, sha256.Sum256(q.path[0].Raw)} }

const (
	askers       = 4               // a responder that hangs must not keep the others from being asked
	maxQuestions = 64              // that wait; the next connection asks again
	firstAnswer  = 2 * time.Second // a handshake in mode require waits for the first answer about a chain
)

// newRevocations makes what the backends of a configuration need.
func newRevocations(config *configs.Config) (*revocations, error) {
	r := &revocations{checkers: map[configs.RevocationCheck]*revocation.Checker{}, questions: make(chan question, maxQuestions), open: map[questionKey]bool{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	fetcher, err := revocation.NewFetcher(revocation.FetchOptions{AllowHosts: config.Revocation.Hosts})
	if err != nil {
		return nil, fmt.Errorf("revocation.hosts: %w", err)
	}
	r.fetcher = fetcher
	if r.staples, err = revocation.New(revocation.Options{Mode: revocation.Staple, Fetcher: fetcher}); err != nil {
		return nil, err
	}
	for range askers {
		r.asking.Go(r.answer)
	}
	return r, nil
}

// checker is the one for a mode; nil for off.
func (r *revocations) checker(mode configs.RevocationCheck, config *configs.Config) (*revocation.Checker, error) {
	if mode == configs.RevocationOff || mode == "" {
		return nil, nil
	}
	if known := r.checkers[mode]; known != nil {
		return known, nil
	}
	m, err := revocation.ParseMode(string(mode))
	if err != nil {
		return nil, err
	}
	c, err := revocation.New(revocation.Options{Mode: m, Fetcher: r.fetcher, Responder: config.Revocation.Responder})
	if err != nil {
		return nil, err
	}
	r.checkers[mode] = c
	return c, nil
}

// close ends all asking. Connections that still verify are told that nobody knows.
func (r *revocations) close() {
	r.stop()
	r.asking.Wait()
	for _, c := range r.checkers {
		c.Close()
	}
	for _, c := range r.lists {
		c.Close()
	}
	if r.staples != nil {
		r.staples.Close()
	}
	r.fetcher.Close()
}

// put has a question asked, unless it is being asked already or too many wait.
func (r *revocations) put(q question) {
	r.openMu.Lock()
	defer r.openMu.Unlock()
	key := q.key()
	if r.open[key] {
		return
	}
	select {
	case r.questions <- q:
		r.open[key] = true
	default:
	}
}

// answer asks what handshakes and records left open.
func (r *revocations) answer() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case q := <-r.questions:
			q.checker.Check(r.ctx, q.path, q.staple)
			r.openMu.Lock()
			delete(r.open, q.key())
			r.openMu.Unlock()
		}
	}
}

// look says what is known about a chain; what is not is asked in the background.
func (r *revocations) look(c *revocation.Checker, path []*x509.Certificate, staple []byte) (revocation.Status, bool) {
	status, known := c.Known(path, staple)
	if !known && c != r.staples {
		r.put(question{c, path, staple})
	}
	return status, known
}

// verifyBackend refuses a chain for any fault that a verifying client would refuse it for, and names them all; and for its
// revocation where that is looked into.
func (r *revocations) verifyBackend(e *examiner, c *revocation.Checker, mode configs.RevocationCheck) func(*proxy.BackendPeer) error {
	return func(peer *proxy.BackendPeer) error {
		x := e.examine(peer.Presented, peer.Name)
		if x.fault != nil || c == nil || x.path == nil {
			return x.fault
		}
		status, known := r.look(c, x.path, peer.OCSP)
		if !known && mode == configs.RevocationRequire {
			ctx, cancel := context.WithTimeout(r.ctx, firstAnswer)
			defer cancel()
			status, known = c.Check(ctx, x.path, peer.OCSP), true
		}
		if !known {
			return nil
		}
		return refusal(&status)
	}
}

// refusal is why a chain is refused for its revocation; nil: it is not.
func refusal(status *revocation.Status) error {
	err := status.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, revocation.ErrRevoked):
		return &proxy.RevocationError{Status: inspect.RevocationRevoked, Err: err, Found: describeRevocation(status)}
	}
	return &proxy.RevocationError{Status: inspect.RevocationUnknown, Err: err, Found: describeRevocation(status)}
}

// note puts into a record what is known about the backend's chain.
func (r *revocations) note(record *inspect.Connection, e *examiner, c *revocation.Checker) {
	if c == nil && !stapled(record.BackendLeg) {
		return
	}
	path, staple := toAsk(record.BackendLeg, e)
	if path == nil {
		return
	}
	if c == nil {
		status, known := r.look(r.staples, path, staple)
		if !known { // reading it takes no request, and the next connection finds it read
			status = r.staples.Check(r.ctx, path, staple)
		}
		recordStaple(record.BackendLeg, &status)
		return
	}
	status, known := r.look(c, path, staple)
	if !known && record.BackendLeg.TLS.ServerSide().Revocation != nil {
		return // it was refused for what was not known, and that is in the record
	}
	recordRevocation(record.BackendLeg, &status)
	if !known {
		recordPending(record.BackendLeg.TLS.Server.Revocation)
	}
}

// recordPending says of what nothing is known yet that it is being asked. What is known already stays: one certificate that is
// revoked is enough.
func recordPending(found *inspect.Revocation) {
	if found == nil {
		return
	}
	if found.Status != inspect.RevocationRevoked {
		found.Status = inspect.RevocationPending
	}
	for i := range found.Certificates {
		if x := &found.Certificates[i]; x.Status == inspect.RevocationUnknown && x.Source == "" {
			x.Status, x.Detail = inspect.RevocationPending, "it is being asked about; no connection waits for the answer"
		}
	}
}

// stapled reports whether a response came with the certificate.
func stapled(leg *inspect.Leg) bool {
	return leg != nil && leg.TLS != nil && leg.TLS.Server != nil && leg.TLS.Server.OCSP != nil && len(leg.TLS.Server.OCSP.Raw) > 0
}

// ask finds out about the backend's chain, however long that takes, so that it is known when clients come.
func (r *revocations) ask(ctx context.Context, record *inspect.Connection, e *examiner, c *revocation.Checker) {
	if path, staple := toAsk(record.BackendLeg, e); c != nil && path != nil {
		c.Check(ctx, path, staple)
	}
}

// toAsk is what revocation is asked about; nil when the chain leads nowhere.
func toAsk(leg *inspect.Leg, e *examiner) (path []*x509.Certificate, staple []byte) {
	presented := presentedBytes(leg)
	if len(presented) == 0 {
		return nil, nil
	}
	if o := leg.TLS.Server.OCSP; o != nil {
		staple = o.Raw
	}
	return e.examine(presented, leg.ServerName).path, staple
}

// verifyClient is the check of client certificates against the lists of a file: a certificate that no current list vouches for
// is refused, as nginx and HAProxy do.
// What such a file lacks, or holds that is too old, is said: it makes every client of that authority fail.
func (r *revocations) verifyClient(file string, authorities []*x509.Certificate, log *zap.Logger) (func(tls.ConnectionState) error, error) {
	data, err := readBounded(file, certs.MaxFileBytes)
	if err != nil {
		return nil, err
	}
	lists, err := revocation.ParseLists(file, data)
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		if flaw := l.Flaw(time.Now(), revocation.Verification{}); flaw != "" {
			log.Warn("client_crl: a list vouches for nobody: every client of its issuer is refused", zap.String("file", file), zap.String("issuer", issuerName(l.Issuer)), zap.String("why", flaw),
				zap.Time("this_update", l.ThisUpdate), zap.Time("next_update", l.NextUpdate))
		}
	}
	for _, ca := range authorities {
		if !slices.ContainsFunc(lists, func(l *revocation.List) bool { return bytes.Equal(l.Issuer, ca.RawSubject) }) {
			log.Warn("client_crl: no list of this authority: every client that it certified is refused", zap.String("file", file), zap.Stringer("authority", ca.Subject))
		}
	}
	c, err := revocation.New(revocation.Options{Mode: revocation.Require, Lists: lists, Fetcher: r.fetcher})
	if err != nil {
		return nil, err
	}
	r.lists = append(r.lists, c)
	return func(state tls.ConnectionState) error {
		if len(state.VerifiedChains) == 0 {
			return nil // nothing was shown, and nothing had to be
		}
		status, known := c.Known(state.VerifiedChains[0], nil)
		if !known {
			found := describeRevocation(&status)
			for i := range found.Certificates {
				if x := &found.Certificates[i]; x.Status == inspect.RevocationUnknown && x.Detail == "" {
					x.Detail = inspect.Bounded("no current list in " + file + " is of its issuer, and one must vouch for it")
				}
			}
			return &proxy.RevocationError{Status: inspect.RevocationUnknown, Err: fmt.Errorf("%s says nothing about it", file), Found: found}
		}
		return refusal(&status)
	}, nil
}

// issuerName is a distinguished name as text.
func issuerName(der []byte) string {
	if name, ok := inspect.DistinguishedName(der); ok {
		return name
	}
	return "?"
}
