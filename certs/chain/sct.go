package chain

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// SCTSource is how a signed certificate timestamp came.
type SCTSource string

// Sources (RFC 6962, Section 3.3).
const (
	SCTEmbedded SCTSource = "certificate"
	SCTInTLS    SCTSource = "tls"
	SCTInOCSP   SCTSource = "ocsp"
)

// SCTStatus is what became of a timestamp's verification.
type SCTStatus string

// Statuses.
const (
	SCTNotChecked SCTStatus = "not-checked" // no log list was given, or the issuer is not at hand
	SCTVerified   SCTStatus = "verified"
	SCTUnknownLog SCTStatus = "unknown-log"
	SCTRefused    SCTStatus = "invalid" // its log did not sign it, or it is from the future
)

// SCT is one signed certificate timestamp (RFC 6962, Section 3.2).
type SCT struct {
	Source     SCTSource
	Version    uint8 // 0 is v1
	LogID      [sha256.Size]byte
	Time       time.Time
	Extensions []byte
	Hash       uint8 // TLS HashAlgorithm: 4 is SHA-256
	Algorithm  uint8 // TLS SignatureAlgorithm: 1 is RSA, 3 is ECDSA
	Signature  []byte

	Log    string // description of the log, where the list knows it
	Status SCTStatus
	Error  string // why it is refused or was not checked
}

const (
	maxSCTs     = 32
	maxSCTBytes = 64 << 10
)

var (
	oidEmbeddedSCTs = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
	oidOCSPSCTs     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5}
	oidTLSFeature   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
)

var errSCTSyntax = errors.New("chain: malformed signed certificate timestamp")

// ParseSCT reads one timestamp. Of other versions than v1 only the version is kept: their form is another.
func ParseSCT(b []byte) (SCT, error) {
	s := cryptobyte.String(b)
	var t SCT
	if len(b) > maxSCTBytes || !s.ReadUint8(&t.Version) {
		return t, errSCTSyntax
	}
	if t.Version != 0 {
		return t, nil
	}
	var millis uint64
	var extensions, signature cryptobyte.String
	if !s.CopyBytes(t.LogID[:]) || !s.ReadUint64(&millis) || !s.ReadUint16LengthPrefixed(&extensions) ||
		!s.ReadUint8(&t.Hash) || !s.ReadUint8(&t.Algorithm) || !s.ReadUint16LengthPrefixed(&signature) || !s.Empty() {
		return t, errSCTSyntax
	}
	if millis > 253402300799999 { // the year 9999: time.Time holds more, JSON does not
		return t, errSCTSyntax
	}
	t.Time = time.UnixMilli(int64(millis)).UTC()
	t.Extensions, t.Signature = slices.Clone(extensions), slices.Clone(signature)
	return t, nil
}

// ParseSCTList reads a SignedCertificateTimestampList (RFC 6962, Section 3.3): what the TLS extension holds, and, in an OCTET
// STRING, the extension of certificates and OCSP responses.
func ParseSCTList(b []byte) ([]SCT, error) {
	s := cryptobyte.String(b)
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return nil, errSCTSyntax
	}
	var out []SCT
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadUint16LengthPrefixed(&one) || one.Empty() {
			return out, errSCTSyntax
		}
		if len(out) == maxSCTs {
			return out, fmt.Errorf("chain: more than %d signed certificate timestamps", maxSCTs)
		}
		t, err := ParseSCT(one)
		if err != nil {
			return out, err
		}
		out = append(out, t)
	}
	return out, nil
}

// parseSCTExtension reads the value of the extension: the list in an OCTET STRING.
func parseSCTExtension(value []byte) ([]SCT, error) {
	s := cryptobyte.String(value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.OCTET_STRING) || !s.Empty() {
		return nil, errSCTSyntax
	}
	return ParseSCTList(list)
}

// readTransparency collects the timestamps of all three ways, and what the leaf says of stapling.
func (e *examination) readTransparency() {
	r := e.r
	collect := func(source SCTSource, list []SCT, err error) {
		for _, t := range list {
			if len(r.SCTs) < maxSCTs {
				t.Source, t.Status = source, SCTNotChecked
				r.SCTs = append(r.SCTs, t)
			}
		}
		if err != nil {
			e.add(Fault{ID: SCTInvalid, Reason: ReasonSCTSyntax, Index: e.leaf.index, Detail: fmt.Sprintf("the signed certificate timestamps (%s) cannot be read: %s", source, clip(err.Error()))})
		}
	}
	if ext := extension(e.leaf.Certificate, oidEmbeddedSCTs); ext != nil {
		list, err := parseSCTExtension(ext.Value)
		collect(SCTEmbedded, list, err)
	}
	for _, b := range e.o.SCTs[:min(len(e.o.SCTs), maxSCTs)] {
		t, err := ParseSCT(b)
		if err != nil {
			collect(SCTInTLS, nil, err)
			continue
		}
		collect(SCTInTLS, []SCT{t}, nil)
	}
	if n := len(e.o.OCSPResponse); n > 0 && n <= maxSCTBytes {
		if response, err := ocsp.ParseResponse(e.o.OCSPResponse, nil); err == nil {
			for _, ext := range response.Extensions {
				if ext.Id.Equal(oidOCSPSCTs) {
					list, err := parseSCTExtension(ext.Value)
					collect(SCTInOCSP, list, err)
				}
			}
		}
	}
	r.MustStaple, r.Stapled = mustStaple(e.leaf.Certificate), len(e.o.OCSPResponse) > 0
}

// mustStaple says whether the TLS feature extension asks for a staple (RFC 7633, Section 4: status_request is 5,
// status_request_v2 17).
func mustStaple(c *x509.Certificate) bool {
	ext := extension(c, oidTLSFeature)
	if ext == nil {
		return false
	}
	s := cryptobyte.String(ext.Value)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) {
		return false
	}
	for !list.Empty() {
		var feature int
		if !list.ReadASN1Integer(&feature) {
			return false
		}
		if feature == 5 || feature == 17 {
			return true
		}
	}
	return false
}

// judgeTransparency verifies the timestamps and reports what is wrong with them, or that there are too few.
func (e *examination) judgeTransparency() {
	e.verifySCTs()
	for i := range e.r.SCTs {
		if t := &e.r.SCTs[i]; t.Status == SCTRefused {
			reason := ReasonSCTSignature
			if t.Time.After(e.o.Time) {
				reason = ReasonSCTFuture
			}
			e.add(Fault{ID: SCTInvalid, Reason: reason, Index: e.leaf.index, Detail: fmt.Sprintf("the signed certificate timestamp of %s is refused: %s", logName(t), t.Error)})
		}
	}
	if !e.r.Public || !e.forServers() {
		return
	}
	embedded, delivered := map[[32]byte]bool{}, map[[32]byte]bool{}
	for _, t := range e.r.SCTs {
		counts := t.Status == SCTVerified || t.Status == SCTNotChecked
		switch {
		case counts && t.Source == SCTEmbedded:
			embedded[t.LogID] = true
		case counts:
			delivered[t.LogID] = true
		}
	}
	needed := logsNeeded(e.leaf.Certificate)
	if needed == 0 {
		return
	}
	if len(embedded) < needed && len(delivered) < 2 {
		f := Fault{ID: SCTMissing, Index: e.leaf.index, Detail: fmt.Sprintf(
			"the public certificate has signed certificate timestamps of %d logs in it and %d delivered; browsers want %d, or 2 delivered", len(embedded), len(delivered), needed)}
		if len(embedded)+len(delivered) > 0 {
			f.Reason = ReasonTooFewSCTs
		}
		e.add(f)
	}
}

// logsNeeded is from how many logs Chrome and Apple want embedded timestamps of a public certificate, by the day it was issued; 0: from
// none. Since 15 April 2022 they are two up to 180 days, and three beyond; before that, by months of life, two to five (Apple: since
// 21 April 2021 as today; what it wants of those in between Chrome does not, and neither counts here). Delivered in the handshake, two do.
func logsNeeded(c *x509.Certificate) int {
	switch issued := c.NotBefore; {
	case issued.Before(time.Date(2018, 5, 1, 0, 0, 0, 0, time.UTC)): // Chrome's policy begins
		return 0
	case !issued.Before(time.Date(2022, 4, 15, 0, 0, 0, 0, time.UTC)):
		if days(c) > 180 {
			return 3
		}
		return 2
	}
	switch {
	case c.NotAfter.Before(c.NotBefore.AddDate(0, 15, 0)):
		return 2
	case !c.NotAfter.After(c.NotBefore.AddDate(0, 27, 0)):
		return 3
	case !c.NotAfter.After(c.NotBefore.AddDate(0, 39, 0)):
		return 4
	}
	return 5
}

func logName(t *SCT) string {
	if t.Log != "" {
		return clip(t.Log)
	}
	return fmt.Sprintf("log %x", t.LogID[:8])
}

// verifySCTs sets the status of each timestamp by Options.Logs.
func (e *examination) verifySCTs() {
	if e.o.Logs == nil {
		return
	}
	var precert []byte // the signed entry for embedded timestamps
	var why error
	for i := range e.r.SCTs {
		t := &e.r.SCTs[i]
		log := e.o.Logs.Find(t.LogID)
		switch {
		case t.Version != 0:
			t.Error = fmt.Sprintf("its version %d is not known", t.Version)
			continue
		case log == nil:
			t.Status = SCTUnknownLog
			continue
		}
		t.Log = log.Description
		entry := e.leaf.Raw
		if t.Source == SCTEmbedded {
			if precert == nil && why == nil {
				precert, why = e.precertificate()
			}
			if why != nil {
				t.Error = why.Error()
				continue
			}
			entry = precert
		}
		switch err := log.verify(t, entry); {
		case err != nil:
			t.Status, t.Error = SCTRefused, err.Error()
		case t.Time.After(e.o.Time):
			t.Status, t.Error = SCTRefused, "it was made at "+stamp(t.Time)+", which is yet to come"
		default:
			t.Status = SCTVerified
		}
	}
}

// precertificate is what a log signed for an embedded timestamp: the hash of the issuer's key and the TBSCertificate without
// the list (RFC 6962, Section 3.2: PreCert).
func (e *examination) precertificate() ([]byte, error) {
	issuer := e.issuerOf(e.leaf.Certificate)
	if issuer == nil {
		return nil, errors.New("the issuer's certificate, whose key is part of what was signed, is not at hand")
	}
	tbs, err := withoutSCTs(e.leaf.RawTBSCertificate)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	return append(hash[:], tbs...), nil
}

// issuerOf finds who issued c: on a path, among what was sent, or among what is known.
func (e *examination) issuerOf(c *x509.Certificate) *x509.Certificate {
	for _, p := range e.r.Paths {
		if len(p.Certificates) > 1 && p.Certificates[0] == c {
			return p.Certificates[1]
		}
	}
	if list := e.issuers(c); len(list) > 0 {
		return list[0].Certificate
	}
	if i := slices.IndexFunc(e.o.Known, func(k *x509.Certificate) bool { return k != nil && e.links.signed(c, k) }); i >= 0 {
		return e.o.Known[i]
	}
	return nil
}

// withoutSCTs is a TBSCertificate with the embedded list taken out, all else as it is, byte for byte.
func withoutSCTs(tbs []byte) ([]byte, error) {
	s := cryptobyte.String(tbs)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, errSCTSyntax
	}
	oid := []byte{0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for !body.Empty() {
			var field cryptobyte.String
			var tag cbasn1.Tag
			if !body.ReadAnyASN1Element(&field, &tag) {
				b.SetError(errSCTSyntax)
				return
			}
			if tag != cbasn1.Tag(3).Constructed().ContextSpecific() {
				b.AddBytes(field)
				continue
			}
			b.AddASN1(tag, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, x := range splitExtensions(field) {
						if !bytes.Equal(x.oid, oid) {
							b.AddBytes(x.whole)
						}
					}
				})
			})
		}
	})
	return b.Bytes()
}

// verify checks a timestamp's signature over an entry: a certificate, or for an embedded one what precertificate returns.
func (l *Log) verify(t *SCT, entry []byte) error {
	if t.Hash != 4 {
		return fmt.Errorf("its hash algorithm is %d, and must be SHA-256 (RFC 6962, Section 2.1.4)", t.Hash)
	}
	var b cryptobyte.Builder
	b.AddUint8(t.Version)
	b.AddUint8(0) // certificate_timestamp
	b.AddBytes(binary.BigEndian.AppendUint64(nil, uint64(t.Time.UnixMilli())))
	if t.Source == SCTEmbedded {
		b.AddUint16(1) // precert_entry
		b.AddBytes(entry[:sha256.Size])
		entry = entry[sha256.Size:]
	} else {
		b.AddUint16(0) // x509_entry
	}
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(entry) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(t.Extensions) })
	signed, err := b.Bytes()
	if err != nil {
		return err
	}
	hash := sha256.Sum256(signed)
	holds := false
	switch key := l.Key.(type) {
	case *ecdsa.PublicKey:
		holds = t.Algorithm == 3 && ecdsa.VerifyASN1(key, hash[:], t.Signature)
	case *rsa.PublicKey:
		holds = t.Algorithm == 1 && rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], t.Signature) == nil
	}
	if !holds {
		return errors.New("its log did not sign this certificate")
	}
	return nil
}
