package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds on one chain.
const (
	maxChain     = 10 // certificates looked at
	maxOCSPURLs  = 3  // of one certificate that are asked
	maxCRLURLs   = 5
	statusBytes  = 2048     // what a kept status is counted as
	statusCache  = 32 << 20 // bytes of kept statuses
	maxListsOpen = 2        // lists read at one time: each may be as long as MaxCRLBytes
)

// Options say what a Checker asks and believes.
type Options struct {
	Mode         Mode     // empty: Off
	Fetcher      *Fetcher // who asks; nil: a Fetcher of its own, of zero FetchOptions. Who made one closes it
	Verification          // when answers are believed

	Responder string  // asked instead of the URLs in certificates; its host is to be allowed in the Fetcher where it is not public
	Lists     []*List // local revocation lists, consulted before anybody is asked, in every mode but Off
	Nonce     bool    // send a nonce (RFC 9654): proof that an answer is of now, from responders that sign on demand. Costs the responder's cache

	Timeout    time.Duration // of all that is asked about one certificate; 0: 90 s
	CacheCap   time.Duration // how long an answer is kept at most, before its nextUpdate; 0: 12 hours
	FailureTTL time.Duration // how long no answer is kept, and one without nextUpdate; 0: 5 minutes

	CacheEntries  int   // certificates remembered; 0: 4096
	MaxCRLBytes   int64 // of one list; 0: DefaultCRLBytes
	CRLCacheBytes int64 // of all lists kept; 0: 64 MiB

	Now func() time.Time // nil: time.Now
}

// Checker finds out whether certificates are revoked. It is safe for concurrent use.
type Checker struct {
	o       Options
	own     bool             // the Fetcher is ours to close
	answers *cache[[]Answer] // of one certificate, what was fetched
	staples *cache[Answer]
	lists   *cache[*List]
	signed  *cache[bool]  // who signed whom
	reading chan struct{} // slots for lists being read
	flights *flights
}

// New makes a Checker.
func New(o Options) (*Checker, error) {
	if o.Mode == "" {
		o.Mode = Off
	}
	if _, err := ParseMode(string(o.Mode)); err != nil {
		return nil, err
	}
	if o.Responder != "" {
		if u, err := url.Parse(o.Responder); err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("revocation: responder %q is not of the form http://host/path", clip(o.Responder))
		}
	}
	setDefault(&o.Timeout, 90*time.Second)
	setDefault(&o.CacheCap, 12*time.Hour)
	setDefault(&o.FailureTTL, 5*time.Minute)
	setDefault(&o.CacheEntries, 4096)
	setDefault(&o.MaxCRLBytes, DefaultCRLBytes)
	setDefault(&o.CRLCacheBytes, 64<<20)
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Checker{
		o: o, answers: newCache[[]Answer](o.CacheEntries, statusCache), staples: newCache[Answer](o.CacheEntries, statusCache),
		signed: newCache[bool](o.CacheEntries, statusCache), lists: newCache[*List](o.CacheEntries, o.CRLCacheBytes), reading: make(chan struct{}, maxListsOpen), flights: newFlights(),
	}
	if c.o.Fetcher == nil {
		fetcher, err := NewFetcher(FetchOptions{})
		if err != nil {
			return nil, err
		}
		c.o.Fetcher, c.own = fetcher, true
	}
	return c, nil
}

// Close ends what is being asked and waits for it.
func (c *Checker) Close() {
	c.flights.close()
	if c.own {
		c.o.Fetcher.Close()
	}
}

// Check finds out about every certificate of a chain that has an issuer in it: give it a verified chain, leaf first, root last. stapled is
// the OCSP response that came with the handshake; empty: none did. A certificate without its issuer stays unknown, one that is its own is passed over. It asks whom the certificates name unless an answer is at hand, takes up to
// Options.Timeout, and less when ctx ends. Handshakes are not to wait for it.
func (c *Checker) Check(ctx context.Context, chain []*x509.Certificate, stapled []byte) Status {
	status, missing := c.look(chain, stapled)
	var asking sync.WaitGroup
	for _, i := range missing {
		asking.Go(func() {
			s := status.Certificates[i]
			status.Certificates[i] = c.resolve(ctx, s, chain[s.Index], c.issuerIn(chain, s.Index))
		})
	}
	asking.Wait()
	status.conclude(c.o.CacheCap)
	return status
}

// Known is Check from memory alone: it makes no request and costs a signature check of the staple, once. ok says that Check would ask nobody either;
// where it is false the status holds what is known so far.
func (c *Checker) Known(chain []*x509.Certificate, stapled []byte) (status Status, ok bool) {
	status, missing := c.look(chain, stapled)
	status.conclude(c.o.CacheCap)
	return status, len(missing) == 0
}

// look fills in what is at hand; missing are the positions in Status.Certificates for which somebody has to be asked.
func (c *Checker) look(chain []*x509.Certificate, stapled []byte) (status Status, missing []int) {
	now := c.o.Now()
	status = Status{Mode: c.o.Mode, CheckedAt: now}
	if c.o.Mode == Off {
		return status, nil
	}
	for i, cert := range chain[:min(len(chain), maxChain)] {
		if cert == nil || c.once("self", cert, cert, func() bool { return selfIssued(cert) }) {
			continue // a root: whoever trusts it has to stop doing so
		}
		s := CertificateStatus{Index: i, Subject: subject(cert), Serial: fmt.Sprintf("%x", cert.SerialNumber), Result: Unknown, Decided: -1}
		if i == 0 {
			status.MustStaple = MustStaple(cert)
		}
		issuer := c.issuerIn(chain, i)
		if issuer == nil {
			s.Detail = "the certificate of its issuer is not in the chain, and answers are believed by its signature alone"
			status.Certificates = append(status.Certificates, s)
			continue
		}
		if i == 0 && len(stapled) > 0 {
			staple := c.judgeStaple(stapled, cert, issuer, now)
			status.Staple = &staple
			s.Answers = append(s.Answers, staple)
		}
		if !c.atHand(&s, cert, issuer, now) {
			missing = append(missing, len(status.Certificates))
		}
		status.Certificates = append(status.Certificates, s)
	}
	if len(chain) > maxChain {
		status.Certificates = append(status.Certificates, CertificateStatus{Index: maxChain, Result: Unknown, Decided: -1,
			Detail: fmt.Sprintf("the chain has %d certificates; only the first %d are looked at", len(chain), maxChain)})
	}
	return status, missing
}

// atHand settles what can be settled without asking; false: somebody has to be asked.
func (c *Checker) atHand(s *CertificateStatus, cert, issuer *x509.Certificate, now time.Time) bool {
	for _, l := range c.o.Lists {
		if bytes.Equal(l.Issuer, issuer.RawSubject) {
			s.Answers = append(s.Answers, l.Answer(cert, issuer, now, c.o.Verification))
		}
	}
	kept, known := c.answers.look(certificateKey(cert, issuer), now)
	for _, a := range kept {
		s.Answers = append(s.Answers, a.judged(now, c.o.freshness()))
	}
	s.settle()
	if len(s.Answers) > 0 {
		s.expires = c.expiry(s.Answers, now)
	}
	switch {
	case s.Decided >= 0:
		return true
	case needsNone(cert) != "":
		s.Result, s.Detail = NotNeeded, needsNone(cert)
		return true
	case !c.o.Mode.asks():
		if len(s.Answers) == 0 {
			s.Result, s.Detail = NotChecked, fmt.Sprintf("mode %s asks nobody, and nothing was stapled for this certificate", c.o.Mode)
		}
		return true
	}
	return known
}

// settle draws the result of a certificate from its answers.
func (s *CertificateStatus) settle() {
	if s.Decided = decide(s.Answers); s.Decided >= 0 {
		s.Result, s.Detail = s.Answers[s.Decided].Result, s.Answers[s.Decided].Detail
		return
	}
	s.Result = Unknown
	var said []string
	for _, a := range s.Answers {
		if a.Source == "" { // nobody was asked
			said = append(said, a.Detail)
			continue
		}
		said = append(said, fmt.Sprintf("%s: %s", a.Source, a.Detail))
	}
	if len(said) > 0 {
		s.Detail = strings.Join(said, "; ")
	}
}

// judgeStaple judges a staple; its signature is checked once.
func (c *Checker) judgeStaple(stapled []byte, cert, issuer *x509.Certificate, now time.Time) Answer {
	k := keyOf([]byte("staple"), stapled, cert.Raw, issuer.Raw)
	answer, known := c.staples.look(k, now)
	if !known {
		answer = verifyOCSP(stapled, cert, issuer, nil, FromStaple, c.o.Verification)
		c.staples.keep(k, answer, statusBytes, now.Add(c.o.CacheCap))
	}
	return answer.judged(now, c.o.freshness())
}

// expiry is when to ask again: at the next update of what settled it, at most after CacheCap, and soon where nothing did.
func (c *Checker) expiry(answers []Answer, now time.Time) time.Time {
	soon := now.Add(c.o.FailureTTL)
	judged := make([]Answer, len(answers))
	for i, a := range answers {
		judged[i] = a.judged(now, c.o.freshness())
	}
	i := decide(judged)
	if i < 0 {
		return soon
	}
	longest := now.Add(c.o.CacheCap)
	switch a := judged[i]; {
	case a.Result == Revoked && a.Reason != CertificateHold:
		return longest
	case a.NextUpdate.IsZero():
		return soon
	case a.NextUpdate.Before(soon): // good by the skew alone
		return earlier(soon, longest)
	default:
		return earlier(a.NextUpdate, longest)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// certificateKey is the question: this certificate, by this issuer.
func certificateKey(cert, issuer *x509.Certificate) key { return keyOf(cert.Raw, issuer.Raw) }

// issuerIn finds who signed a certificate of a chain: the next one, as it should be, or another. An issuer that only has the name is none: its
// word would settle nothing.
func (c *Checker) issuerIn(chain []*x509.Certificate, i int) *x509.Certificate {
	chain = chain[:min(len(chain), maxChain)]
	for j := range chain {
		candidate := chain[(i+1+j)%len(chain)]
		if candidate == nil || candidate == chain[i] || !bytes.Equal(candidate.RawSubject, chain[i].RawIssuer) {
			continue
		}
		if c.once("signed", chain[i], candidate, func() bool { return signedBy(chain[i], candidate) == nil }) {
			return candidate
		}
	}
	return nil
}

// once keeps what a signature check said: the certificates of a busy proxy are always the same few.
func (c *Checker) once(question string, cert, other *x509.Certificate, check func() bool) bool {
	k, now := keyOf([]byte(question), cert.Raw, other.Raw), c.o.Now()
	answer, known := c.signed.look(k, now)
	if !known {
		answer = check()
		c.signed.keep(k, answer, statusBytes, now.Add(c.o.CacheCap))
	}
	return answer
}
