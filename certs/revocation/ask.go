package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// resolve asks, once for all who want to know at this moment.
func (c *Checker) resolve(ctx context.Context, s CertificateStatus, cert, issuer *x509.Certificate) CertificateStatus {
	k := certificateKey(cert, issuer)
	v, err := c.flights.do(ctx, k, func(ctx context.Context) (any, error) {
		now := c.o.Now()
		if kept, known := c.answers.look(k, now); known { // somebody asked between our look and now
			return kept, nil
		}
		ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
		answers := c.ask(ctx, cert, issuer)
		if c.flights.ctx.Err() == nil { // what was cut by Close says nothing
			c.answers.keep(k, answers, statusBytes, c.expiry(answers, c.o.Now()))
		}
		return answers, nil
	})
	if err != nil {
		s.Answers = append(s.Answers, failed(Unreachable, fmt.Errorf("not waited for: %w", err)))
	}
	now := c.o.Now()
	answers, _ := v.([]Answer)
	for _, a := range answers {
		s.Answers = append(s.Answers, a.judged(now, c.o.freshness()))
	}
	s.expires = c.expiry(s.Answers, now)
	s.settle()
	return s
}

// ask goes through the sources of a certificate until one settles it: OCSP first, which is short, then lists.
func (c *Checker) ask(ctx context.Context, cert, issuer *x509.Certificate) []Answer {
	var answers []Answer
	settles := func(a Answer) bool {
		answers = append(answers, a)
		return a.judged(c.o.Now(), c.o.freshness()).Result.Settles()
	}
	responders := cert.OCSPServer[:min(len(cert.OCSPServer), maxOCSPURLs)]
	if c.o.Responder != "" {
		responders = []string{c.o.Responder}
	}
	for _, u := range responders {
		if settles(c.askOCSP(ctx, u, cert, issuer)) {
			return answers
		}
	}
	asked := 0
	for _, point := range distributionPoints(cert) {
		if point.indirect {
			answers = append(answers, Answer{Source: FromCRL, URL: clip(strings.Join(point.uris, " ")), Result: Unsupported,
				Detail: "the certificate's distribution point names another issuer of lists than its own, which is not followed"})
			continue
		}
		for _, u := range point.uris {
			if asked++; asked > maxCRLURLs {
				break
			}
			answer := c.askCRL(ctx, u, cert, issuer)
			if point.partial && answer.Said == Good {
				answer.Said, answer.Detail = Unknown, someReasons
			}
			if settles(answer) {
				return answers
			}
		}
	}
	if len(answers) == 0 {
		answers = append(answers, Answer{Result: NoSource, Detail: "the certificate names neither an OCSP responder nor a revocation list"})
	}
	return answers
}

// askCRL judges a certificate by a list, fetched or kept.
func (c *Checker) askCRL(ctx context.Context, u string, cert, issuer *x509.Certificate) Answer {
	l, err := c.list(ctx, u, issuer)
	var answer Answer
	if err != nil {
		answer = failed(resultOf(err), err)
	} else {
		answer = l.answer(cert, issuer, c.o.Verification)
	}
	answer.Source, answer.URL, answer.AskedAt = FromCRL, clip(u), c.o.Now()
	return answer
}

// list fetches a list, or takes it from memory. It is kept only when the issuer has signed it, and no longer than it is good: what somebody
// else answers in between must not stand in its place.
func (c *Checker) list(ctx context.Context, u string, issuer *x509.Certificate) (*List, error) {
	k := keyOf([]byte("list"), []byte(u), issuer.Raw)
	if l, ok := c.lists.look(k, c.o.Now()); ok {
		return l, nil
	}
	v, err := c.flights.do(ctx, k, func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
		select { // lists are long: few at a time, however many requests are allowed
		case c.reading <- struct{}{}:
			defer func() { <-c.reading }()
		case <-ctx.Done():
			return nil, &FetchError{URL: clip(u), Kind: FetchTimeout, Err: ctx.Err()}
		}
		var l *List
		fetch := request{method: http.MethodGet, url: u, limit: c.o.MaxCRLBytes, timeout: c.o.Fetcher.o.CRLTimeout}
		err := c.o.Fetcher.do(ctx, fetch, func(answer *http.Response, in io.Reader) (err error) {
			if l, err = ReadList(in, c.o.MaxCRLBytes); err != nil {
				var fetch *FetchError
				if errors.As(err, &fetch) {
					return fetch
				}
				return fmt.Errorf("%w (from %q, type %q)", err, clip(u), clip(answer.Header.Get("Content-Type")))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		l.Name = clip(u)
		if bytes.Equal(l.Issuer, issuer.RawSubject) && l.verify(issuer, c.o.Verification) == nil {
			now := c.o.Now()
			until := now.Add(c.o.FailureTTL)
			if end := l.NextUpdate; end.After(until) {
				until = earlier(end, now.Add(c.o.CacheCap))
			}
			c.lists.keep(k, l, int64(cap(l.table))+4096, until)
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*List), nil
}
