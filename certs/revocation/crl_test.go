package revocation_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

const listURL = "http://crl.example/part1.crl"

// point is an issuingDistributionPoint: flags by their tag.
func point(uri string, flags ...uint8) pkix.Extension {
	tag := func(n uint8, constructed bool) cbasn1.Tag {
		t := cbasn1.Tag(n).ContextSpecific()
		if constructed {
			t = t.Constructed()
		}
		return t
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if uri != "" {
			b.AddASN1(tag(0, true), func(b *cryptobyte.Builder) {
				b.AddASN1(tag(0, true), func(b *cryptobyte.Builder) {
					b.AddASN1(tag(6, false), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
				})
			})
		}
		for _, flag := range flags {
			b.AddASN1(tag(flag, false), func(b *cryptobyte.Builder) {
				if flag == 3 {
					b.AddBytes([]byte{6, 0x40}) // keyCompromise
					return
				}
				b.AddUint8(0xff)
			})
		}
	})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: b.BytesOrPanic()}
}

func TestListAnswer(t *testing.T) {
	p := certstest.New(t)
	now := p.Now
	leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, CRLDistributionPoints: []string{"http://crl.example/other.crl", listURL}})
	cert, issuer := leaf.Certificate, p.Issuing
	entry := func(reason int) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now.Add(-72 * time.Hour), ReasonCode: reason}
	}
	others := []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: now}, {SerialNumber: new(big.Int).Add(cert.SerialNumber, big.NewInt(1)), RevocationTime: now, ReasonCode: 4}}
	list := func(change ...func(*x509.RevocationList)) []byte {
		l := &x509.RevocationList{ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour), RevokedCertificateEntries: others}
		for _, f := range change {
			f(l)
		}
		return crl(t, issuer, l)
	}
	with := func(e ...x509.RevocationListEntry) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries[:2:2], e...)
		}
	}
	extended := func(e ...pkix.Extension) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ExtraExtensions = e }
	}
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 3}}
	strange := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}
	times := func(this, next time.Duration) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = now.Add(this), now.Add(next) }
	}
	good := list()
	flipped := append([]byte{}, good...)
	flipped[len(flipped)-1] ^= 1
	noSigner := p.Issue(p.Root, certs.Template{CommonName: "No Signer", CA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign})
	withheld := *noSigner.Certificate
	withheld.KeyUsage = x509.KeyUsageCertSign

	for _, test := range []struct {
		name   string
		list   []byte
		issuer *x509.Certificate // nil: issuer
		want   revocation.Result
		says   string
	}{
		{name: "not on it", list: good, want: revocation.Good, says: "not revoked"},
		{name: "an empty list", list: list(func(l *x509.RevocationList) { l.RevokedCertificateEntries = nil }), want: revocation.Good},
		{name: "revoked", list: list(with(entry(1))), want: revocation.Revoked, says: "keyCompromise"},
		{name: "revoked without a reason", list: list(with(entry(0))), want: revocation.Revoked, says: "unspecified"},
		{name: "on hold", list: list(with(entry(6))), want: revocation.Revoked, says: "certificateHold"},
		{name: "removed from the list", list: list(with(entry(8))), want: revocation.Good},
		{name: "removed and revoked", list: list(with(entry(8), entry(1))), want: revocation.Revoked, says: "keyCompromise"},
		{name: "expired", list: list(times(-48*time.Hour, -time.Hour)), want: revocation.Expired},
		{name: "revoked by an expired list: for ever", list: list(times(-48*time.Hour, -time.Hour), with(entry(1))), want: revocation.Revoked},
		{name: "of tomorrow", list: list(times(time.Hour, 2*time.Hour)), want: revocation.NotYetValid},
		{name: "of another issuer", list: crl(t, p.Intermediate, &x509.RevocationList{ThisUpdate: now, NextUpdate: now.Add(time.Hour)}), want: revocation.WrongCertificate, says: "another issuer"},
		{name: "signature damaged", list: flipped, want: revocation.BadSignature, says: "not by the key"},
		{name: "issuer may not sign lists", list: crl(t, noSigner, &x509.RevocationList{ThisUpdate: now, NextUpdate: now.Add(time.Hour)}), issuer: &withheld, want: revocation.BadSignature, says: "key usage"},
		{name: "delta", list: list(extended(delta)), want: revocation.Unsupported, says: "delta"},
		{name: "indirect", list: list(extended(point("", 4))), want: revocation.Unsupported, says: "indirect"},
		{name: "unknown critical extension", list: list(extended(strange)), want: revocation.Unsupported, says: "1.3.6.1.4.1.99999.1"},
		{name: "unknown critical extension of an entry", list: list(with(x509.RevocationListEntry{SerialNumber: big.NewInt(5), RevocationTime: now, ExtraExtensions: []pkix.Extension{strange}})), want: revocation.Unsupported},
		{name: "its part", list: list(extended(point(listURL))), want: revocation.Good},
		{name: "its part, with a revocation", list: list(extended(point(listURL)), with(entry(4))), want: revocation.Revoked, says: "superseded"},
		{name: "another part", list: list(extended(point("http://crl.example/part2.crl"))), want: revocation.WrongCertificate, says: "part2"},
		{name: "users only", list: list(extended(point(listURL, 1))), want: revocation.Good},
		{name: "authorities only", list: list(extended(point("", 2))), want: revocation.WrongCertificate, says: "CA certificates only"},
		{name: "attributes only", list: list(extended(point("", 5))), want: revocation.WrongCertificate, says: "attribute"},
		{name: "some reasons, not on it", list: list(extended(point("", 3))), want: revocation.Unknown, says: "some reasons"},
		{name: "some reasons, revoked", list: list(extended(point("", 3)), with(entry(1))), want: revocation.Revoked},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := revocation.ReadList(iotest.OneByteReader(bytes.NewReader(test.list)), 0)
			if err != nil {
				t.Fatal(err)
			}
			by := test.issuer
			if by == nil {
				by = issuer.Certificate
			}
			a := l.Answer(cert, by, now, revocation.Verification{})
			if a.Result != test.want || !strings.Contains(a.Detail, test.says) || a.Detail == "" || a.Source != revocation.FromCRL {
				t.Errorf("got %s: %s\nwant %s: … %s …", a.Result, a.Detail, test.want, test.says)
			}
			flawed := test.want == revocation.NotYetValid || test.want == revocation.Expired || test.want == revocation.Unsupported || strings.HasPrefix(test.name, "attributes") || strings.HasPrefix(test.name, "revoked by an expired")
			if flaw := l.Flaw(now, revocation.Verification{}); (flaw != "") != flawed || !strings.Contains(test.name, "revoked") && flawed && !strings.Contains(flaw, test.says) {
				t.Errorf("flaw %q, want one: %v", flaw, flawed)
			}
		})
	}
	t.Run("a CA's certificate on a list of users", func(t *testing.T) {
		l, err := revocation.ReadList(bytes.NewReader(crl(t, p.Intermediate, &x509.RevocationList{ThisUpdate: now, NextUpdate: now.Add(time.Hour), ExtraExtensions: []pkix.Extension{point("", 1)}})), 0)
		if err != nil {
			t.Fatal(err)
		}
		if a := l.Answer(p.Issuing.Certificate, p.Intermediate.Certificate, now, revocation.Verification{}); a.Result != revocation.WrongCertificate {
			t.Errorf("got %s (%s)", a.Result, a.Detail)
		}
	})
}

func TestReadListKnowsEverySignature(t *testing.T) {
	p := certstest.New(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, template := range map[x509.SignatureAlgorithm]certs.Template{
		x509.SHA256WithRSA: {Key: certs.RSA2048}, x509.SHA384WithRSA: {Key: certs.RSA2048}, x509.SHA512WithRSA: {Key: certs.RSA2048},
		x509.SHA256WithRSAPSS: {Key: certs.RSA2048}, x509.SHA384WithRSAPSS: {Key: certs.RSA2048}, x509.SHA512WithRSAPSS: {Key: certs.RSA2048},
		x509.ECDSAWithSHA256: {}, x509.ECDSAWithSHA384: {}, x509.ECDSAWithSHA512: {}, x509.PureEd25519: {Signer: ed},
	} {
		template.CommonName, template.CA = "Signer", true
		ca := p.SelfSign(template)
		leaf := p.Issue(ca, certs.Template{Names: []string{name}})
		der := crl(t, ca, &x509.RevocationList{SignatureAlgorithm: algorithm, ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.Certificate.SerialNumber, RevocationTime: p.Now, ReasonCode: 9}}})
		for _, damaged := range []bool{false, true} {
			want := revocation.Revoked
			if damaged {
				der[len(der)-1] ^= 1
				want = revocation.BadSignature
			}
			l, err := revocation.ReadList(bytes.NewReader(der), 0)
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if a := l.Answer(leaf.Certificate, ca.Certificate, p.Now, revocation.Verification{}); a.Result != want || a.Algorithm != algorithm {
				t.Errorf("%s, damaged %v: got %s (%s)", algorithm, damaged, a.Result, a.Detail)
			}
		}
	}
}

func TestReadListRefusesEveryTruncationAndBelievesNoFlippedBit(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	der := crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), ExtraExtensions: []pkix.Extension{point("", 1)},
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(77), RevocationTime: p.Now, ReasonCode: 1}}})
	for n := range der {
		if _, err := revocation.ReadList(bytes.NewReader(der[:n]), 0); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(der))
		}
	}
	for i := range der {
		for bit := range 8 {
			changed := append([]byte{}, der...)
			changed[i] ^= 1 << bit
			l, err := revocation.ReadList(bytes.NewReader(changed), 0)
			if err != nil {
				continue
			}
			if a := l.Answer(leaf.Certificate, p.Issuing.Certificate, p.Now, revocation.Verification{}); a.Result.Settles() {
				t.Fatalf("bit %d of byte %d changed: %s (%s)", bit, i, a.Result, a.Detail)
			}
		}
	}
}

func TestReadListIsBounded(t *testing.T) {
	p := certstest.New(t)
	entries := make([]x509.RevocationListEntry, 2000)
	for i := range entries {
		entries[i] = x509.RevocationListEntry{SerialNumber: big.NewInt(int64(i) + 1), RevocationTime: p.Now}
	}
	der := crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), RevokedCertificateEntries: entries})
	if l, err := revocation.ReadList(bytes.NewReader(der), int64(len(der))); err != nil || l.Entries != 2000 {
		t.Errorf("as long as is allowed: %v, %+v", err, l)
	}
	if _, err := revocation.ReadList(bytes.NewReader(der), int64(len(der))-1); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("longer than is allowed: %v", err)
	}
	for name, bomb := range map[string][]byte{
		"a list of 4 GB by its length":   {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x84, 0xff, 0xff, 0xff, 0xf0},
		"indefinite length":              {0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0},
		"deep nesting":                   bytes.Repeat([]byte{0x30, 0x82, 0x7f, 0xff}, 8000),
		"a length in too many octets":    {0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 5, 0x30, 3, 2, 1, 1},
		"a length longer than it has to": {0x30, 0x82, 0, 5, 0x30, 3, 2, 1, 1},
		"a long tag":                     {0x3f, 0x81, 0x01, 0x01, 0},
		"PEM of something else":          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Certificate.Raw}),
		"PEM without an end":             []byte("-----BEGIN X509 CRL-----\n"),
		"a first line without an end":    append([]byte("-----BEGIN "), bytes.Repeat([]byte("A"), 100_000)...),
	} {
		if _, err := revocation.ReadList(bytes.NewReader(bomb), 0); err == nil || len(err.Error()) > 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list that claims fifty megabytes and sends a few bytes costs those few.
func TestReadListBelievesLengthsPiecemeal(t *testing.T) {
	p := certstest.New(t)
	var claim cryptobyte.Builder
	claim.AddBytes([]byte{0x30, 0x84, 0x02, 0xff, 0xff, 0xf0, 0x30, 0x84, 0x02, 0xff, 0xff, 0x00, 2, 1, 1, 0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2})
	claim.AddBytes(p.Issuing.Certificate.RawSubject)
	claim.AddASN1UTCTime(p.Now)
	claim.AddBytes([]byte{0x30, 0x84, 0x02, 0xff, 0xf0, 0x00})
	der := claim.BytesOrPanic()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		if _, err := revocation.ReadList(bytes.NewReader(der), 0); err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("20 lists of nothing took %d bytes", used)
	}
}

func TestParseLists(t *testing.T) {
	p := certstest.New(t)
	block := func(by *certs.Pair) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl(t, by, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour)})})
	}
	one, two := block(p.Issuing), block(p.Intermediate)
	der, _ := pem.Decode(one)
	for name, test := range map[string]struct {
		data []byte
		want int
	}{
		"DER":            {der.Bytes, 1},
		"PEM":            {one, 1},
		"two":            {append(append([]byte("# both\n"), one...), two...), 2},
		"empty":          {nil, 0},
		"a text":         {[]byte("no list"), 0},
		"a certificate":  {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Certificate.Raw}), 0},
		"garbled":        {bytes.Replace(one, []byte("A"), []byte("B"), 5), 0},
		"cut":            {one[:len(one)/2], 0},
		"second garbled": {append(append([]byte{}, one...), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")})...), 0},
	} {
		lists, err := revocation.ParseLists("revoked.pem", test.data)
		if (err == nil) != (test.want > 0) || len(lists) != test.want {
			t.Errorf("%s: %d lists, %v", name, len(lists), err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "revoked.pem: ") {
			t.Errorf("%s: %v does not begin with the file", name, err)
		}
	}
	if l, err := revocation.ReadList(bytes.NewReader(one), 0); err != nil || !bytes.Equal(l.Issuer, p.Issuing.Certificate.RawSubject) {
		t.Errorf("PEM as it is served: %v", err)
	}
}

// The list of Go's library and ours agree on what is on it.
func TestReadListAgreesWithTheLibrary(t *testing.T) {
	p := certstest.New(t)
	entries := make([]x509.RevocationListEntry, 300)
	for i := range entries {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(8*(1+i%20))))
		if err != nil {
			t.Fatal(err)
		}
		entries[i] = x509.RevocationListEntry{SerialNumber: serial.Add(serial, big.NewInt(1)), RevocationTime: p.Now.Add(-time.Duration(i) * time.Hour), ReasonCode: []int{0, 1, 4, 5, 9}[i%5]}
	}
	der := crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), RevokedCertificateEntries: entries})
	theirs, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := revocation.ReadList(bytes.NewReader(der), 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Entries != len(theirs.RevokedCertificateEntries) {
		t.Errorf("%d entries, want %d", l.Entries, len(theirs.RevokedCertificateEntries))
	}
	for _, e := range theirs.RevokedCertificateEntries[20:] { // short serial numbers may repeat
		cert := &x509.Certificate{SerialNumber: e.SerialNumber}
		if e.SerialNumber.BitLen() < 64 {
			continue
		}
		if a := l.Answer(cert, p.Issuing.Certificate, p.Now, revocation.Verification{}); a.Result != revocation.Revoked || !a.RevokedAt.Equal(e.RevocationTime) || int(a.Reason) != e.ReasonCode {
			t.Errorf("%x: got %+v, want %+v", e.SerialNumber, a, e)
		}
	}
}

func BenchmarkReadList(b *testing.B) {
	p := certstest.New(b)
	entries := make([]x509.RevocationListEntry, 20_000)
	for i := range entries {
		entries[i] = x509.RevocationListEntry{SerialNumber: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 126), big.NewInt(int64(i))), RevocationTime: p.Now, ReasonCode: 1}
	}
	der := crl(b, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), RevokedCertificateEntries: entries})
	leaf := p.Leaf(name).Certificate
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		b.ReportAllocs()
		for b.Loop() {
			l, err := revocation.ReadList(bytes.NewReader(der), 0)
			if err != nil || l.Answer(leaf, p.Issuing.Certificate, p.Now, revocation.Verification{}).Result != revocation.Good {
				b.Fatal(err)
			}
		}
	})
	b.Run("crypto/x509", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		b.ReportAllocs()
		for b.Loop() {
			l, err := x509.ParseRevocationList(der)
			if err != nil || l.CheckSignatureFrom(p.Issuing.Certificate) != nil {
				b.Fatal(err)
			}
		}
	})
}
