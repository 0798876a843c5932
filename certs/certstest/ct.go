package certstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tlstriage/tlstriage/certs"
)

// CTLog is a certificate transparency log that signs whatever it is given and keeps nothing.
type CTLog struct {
	Name string
	Key  crypto.Signer
	pki  *PKI
}

// NewCTLog makes a log with an elliptic-curve key, or an RSA one.
func (p *PKI) NewCTLog(name string, kind certs.KeyKind) *CTLog {
	p.tb.Helper()
	key, err := certs.NewKey(kind)
	if err != nil {
		p.tb.Fatal(err)
	}
	return &CTLog{name, key, p}
}

// PublicKey is the log's key in DER.
func (l *CTLog) PublicKey() []byte {
	l.pki.tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(l.Key.Public())
	if err != nil {
		l.pki.tb.Fatal(err)
	}
	return der
}

// SCT signs an entry: kind 0 is a certificate, 1 a precertificate (RFC 6962, Section 3.2).
func (l *CTLog) SCT(at time.Time, kind uint16, entry []byte) []byte {
	l.pki.tb.Helper()
	id := sha256.Sum256(l.PublicKey())
	stamp := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	signed := append([]byte{0, 0}, stamp...)
	signed = binary.BigEndian.AppendUint16(signed, kind)
	if kind == 1 {
		signed = append(signed, entry[:sha256.Size]...)
		entry = entry[sha256.Size:]
	}
	signed = append(signed, byte(len(entry)>>16), byte(len(entry)>>8), byte(len(entry)))
	signed = append(append(signed, entry...), 0, 0)
	hash := sha256.Sum256(signed)
	signature, err := l.Key.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		l.pki.tb.Fatal(err)
	}
	algorithm := byte(3)
	if _, ok := l.Key.(*rsa.PrivateKey); ok {
		algorithm = 1
	}
	sct := append(append([]byte{0}, id[:]...), stamp...)
	sct = append(sct, 0, 0, 4, algorithm)
	sct = binary.BigEndian.AppendUint16(sct, uint16(len(signature)))
	return append(sct, signature...)
}

// SCTList puts timestamps into a SignedCertificateTimestampList.
func SCTList(scts ...[]byte) []byte {
	var body []byte
	for _, s := range scts {
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(s))), s...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
}

// SCTExtension is the extension that embeds a list.
func SCTExtension(list []byte) pkix.Extension {
	value, err := asn1.Marshal(list)
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}

// Embed logs a certificate as a precertificate and issues it anew with the timestamps in it, before its last extension.
func (p *PKI) Embed(issuer *certs.Pair, of *x509.Certificate, at time.Time, logs ...*CTLog) []byte {
	p.tb.Helper()
	plain, err := x509.ParseCertificate(p.Forge(issuer, of, 0, func(*TBS) {}))
	if err != nil {
		p.tb.Fatal(err)
	}
	hash := sha256.Sum256(issuer.Certificate.RawSubjectPublicKeyInfo)
	entry := append(hash[:], plain.RawTBSCertificate...)
	var scts [][]byte
	for _, l := range logs {
		scts = append(scts, l.SCT(at, 1, entry))
	}
	return p.Forge(issuer, of, 0, func(t *TBS) {
		last := len(t.Extensions) - 1
		t.Extensions = append(t.Extensions[:last:last], SCTExtension(SCTList(scts...)), t.Extensions[last])
	})
}

// LogListJSON is a list of logs in the v3 format of browsers.
func LogListJSON(logs ...*CTLog) []byte {
	var list []map[string]any
	for _, l := range logs {
		key := l.PublicKey()
		id := sha256.Sum256(key)
		list = append(list, map[string]any{"description": l.Name, "log_id": id[:], "key": key, "url": "https://" + l.Name + ".invalid/", "mmd": 86400,
			"state": map[string]any{"usable": map[string]any{"timestamp": "2024-01-01T00:00:00Z"}}})
	}
	data, err := json.Marshal(map[string]any{"version": "7.1", "log_list_timestamp": "2026-01-01T00:00:00Z",
		"operators": []map[string]any{{"name": "Test", "email": []string{"ct@example.com"}, "logs": list, "tiled_logs": []any{}}}})
	if err != nil {
		panic(err)
	}
	return data
}

// LogListOpenSSL is the same for openssl's -ctlogfile.
func LogListOpenSSL(logs ...*CTLog) []byte {
	names, sections := "enabled_logs=", ""
	for i, l := range logs {
		names += fmt.Sprintf("log%d,", i)
		sections += fmt.Sprintf("[log%d]\ndescription = %s\nkey = %s\n", i, l.Name, base64.StdEncoding.EncodeToString(l.PublicKey()))
	}
	return []byte(names[:len(names)-1] + "\n" + sections)
}
