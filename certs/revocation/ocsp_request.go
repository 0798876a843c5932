package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	oidNonce   = "1.3.6.1.5.5.7.48.1.2"
	nonceBytes = 32 // RFC 9654, Section 2.1

	// maxGetBytes is the longest GET: "When sending requests that are less than or equal to 255 bytes in total (after encoding) including the
	// scheme and delimiters (http://), server name and base64-encoded OCSPRequest structure, clients MUST use the GET method" (RFC 5019, Section 5).
	maxGetBytes = 255
)

// ocspRequest writes an OCSPRequest for one certificate (RFC 6960, Section 4.1.1). Its id is of SHA-1 hashes, the one kind that every responder
// knows (RFC 5019, Section 2.1.1); they identify, they protect nothing. A nil nonce is none.
func ocspRequest(cert, issuer *x509.Certificate, nonce []byte) ([]byte, error) {
	key, err := publicKeyBits(issuer)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // OCSPRequest
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // tbsRequest
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // Request
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // CertID
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26})
							b.AddASN1NULL()
						})
						b.AddASN1OctetString(digest(crypto.SHA1, issuer.RawSubject))
						b.AddASN1OctetString(digest(crypto.SHA1, key))
						b.AddASN1BigInt(cert.SerialNumber)
					})
				})
			})
			if nonce == nil {
				return
			}
			b.AddASN1(explicit2, func(b *cryptobyte.Builder) { // requestExtensions
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2})
						b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// getURL is where to GET the answer to a request; empty when it has to be a POST. A nonce cannot be cached, so neither is it fetched by GET.
func getURL(responder string, request []byte, nonce bool) string {
	if nonce || strings.ContainsAny(responder, "?#") {
		return ""
	}
	// "{url}/{url-encoding of base-64 encoding of the DER encoding of the OCSPRequest}" (RFC 6960, Appendix A.1).
	u := strings.TrimSuffix(responder, "/") + "/" + url.QueryEscape(base64.StdEncoding.EncodeToString(request))
	if len(u) > maxGetBytes {
		return ""
	}
	return u
}

// askOCSP asks one responder: by GET where the request is short enough, and by POST where it is not or GET is not answered well.
func (c *Checker) askOCSP(ctx context.Context, responder string, cert, issuer *x509.Certificate) Answer {
	answer := c.exchange(ctx, responder, cert, issuer)
	answer.Source, answer.URL, answer.AskedAt = FromOCSP, clip(responder), c.o.Now()
	return answer
}

func (c *Checker) exchange(ctx context.Context, responder string, cert, issuer *x509.Certificate) Answer {
	var nonce []byte
	if c.o.Nonce {
		nonce = make([]byte, nonceBytes)
		_, _ = rand.Read(nonce) // crypto/rand never fails
	}
	body, err := ocspRequest(cert, issuer, nonce)
	if err != nil {
		return failed(Malformed, err)
	}
	if u := getURL(responder, body, c.o.Nonce); u != "" {
		answer := c.exchangeBy(ctx, http.MethodGet, u, nil, cert, issuer, nil)
		// A responder that knows POST alone answers a GET with 404, 405, a page, or an error of OCSP; a cache on the way may give an old answer,
		// and nothing but a POST goes past it.
		stale := answer.judged(c.o.Now(), c.o.freshness()).Result == Expired
		if !stale && answer.Result != Malformed && answer.Result != ErrorStatus && !isStatus(answer.Err) {
			return answer
		}
		if again := c.exchangeBy(ctx, http.MethodPost, responder, body, cert, issuer, nil); again.Said != "" || !stale && answer.Result != ErrorStatus {
			return again
		}
		return answer
	}
	return c.exchangeBy(ctx, http.MethodPost, responder, body, cert, issuer, nonce)
}

// exchangeBy makes one request and judges what comes back.
func (c *Checker) exchangeBy(ctx context.Context, method, u string, body []byte, cert, issuer *x509.Certificate, nonce []byte) Answer {
	q := request{method: method, url: u, accept: "application/ocsp-response", limit: MaxOCSPBytes, timeout: c.o.Fetcher.o.Timeout}
	if body != nil {
		q.contentType, q.body = "application/ocsp-request", bytes.NewReader(body)
	}
	response, contentType, err := c.o.Fetcher.bytes(ctx, q)
	if err != nil {
		return failed(resultOf(err), err)
	}
	answer := verifyOCSP(response, cert, issuer, nonce, FromOCSP, c.o.Verification)
	if answer.Result == Malformed && contentType != "application/ocsp-response" {
		answer.Detail += fmt.Sprintf(" (%d bytes of type %q)", len(response), clip(contentType))
	}
	return answer
}
