package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// shown is what keys have shown of the encrypted part of a TLS 1.3 handshake, or of an alert in any version.
type shown struct {
	any      bool
	protocol string
	chain    [][]byte
	leaf     []byte // of the client's chain
	asked    *inspect.CertificateRequest
	scheme   wire.SignatureScheme
	alerts   []inspect.Alert
	finished [2]bool // client, server
}

const (
	maxShownCertificates = 32
	maxShownAlerts       = 8
)

// message reads a handshake message of TLS 1.3 that was encrypted.
func (w *shown) message(from inspect.Side, b []byte) {
	if len(b) < 4 {
		return
	}
	w.any = true
	switch wire.HandshakeType(b[0]) {
	case wire.HandshakeTypeEncryptedExtensions:
		var e wire.EncryptedExtensions
		if wire.ParseEncryptedExtensions(b, &e) == nil && len(e.ALPN) > 0 {
			w.protocol = inspect.Bounded(string(e.ALPN))
		}
	case wire.HandshakeTypeCertificate:
		w.certificate(from, b)
	case wire.HandshakeTypeCertificateRequest:
		var m wire.CertificateRequest
		if from == inspect.FromServer && wire.ParseCertificateRequest(b, wire.VersionTLS13, &m) == nil {
			w.request(&m)
		}
	case wire.HandshakeTypeCertificateVerify:
		if from == inspect.FromServer {
			if scheme, _, err := wire.ParseCertificateVerify(b, wire.VersionTLS13); err == nil {
				w.scheme = scheme
			}
		}
	case wire.HandshakeTypeFinished:
		if from == inspect.FromClient {
			w.finished[0] = true
		} else {
			w.finished[1] = true
		}
	}
}

func (w *shown) certificate(from inspect.Side, b []byte) {
	var m wire.Certificate
	_ = wire.ParseCertificate(b, wire.VersionTLS13, &m) // the entries before a fault count
	for entry := range m.All() {
		if from == inspect.FromClient {
			w.leaf = bytes.Clone(entry.DER)
			break
		}
		if len(w.chain) == maxShownCertificates {
			break
		}
		w.chain = append(w.chain, bytes.Clone(entry.DER))
	}
}

func (w *shown) request(m *wire.CertificateRequest) {
	w.asked = &inspect.CertificateRequest{}
	for scheme := range m.SignatureSchemes.All() {
		if !wire.IsGREASE(scheme) {
			w.asked.SignatureAlgorithms = append(w.asked.SignatureAlgorithms, scheme.String())
		}
	}
	for der := range m.Authorities() {
		if name, ok := inspect.DistinguishedName(der); ok && len(w.asked.Authorities) < 50 {
			w.asked.Authorities = append(w.asked.Authorities, name)
		}
	}
}

// alert reads an alert that was encrypted.
func (w *shown) alert(from inspect.Side, b []byte) {
	if len(b) != 2 || len(w.alerts) == maxShownAlerts {
		return
	}
	w.any = true
	if wire.AlertDescription(b[1]) == wire.AlertCloseNotify {
		return // goodbye, no complaint
	}
	w.alerts = append(w.alerts, inspect.NewAlert(wire.AlertLevel(b[0]), wire.AlertDescription(b[1]), from))
}

// apply puts what was shown into a record's words, and tells whether there was anything.
func (w *shown) apply(t *inspect.TLS, d *inspect.Describer) bool {
	if !w.any {
		return false
	}
	if w.protocol != "" {
		t.NextProtocol = w.protocol
	}
	if w.scheme != 0 {
		t.SignatureScheme = w.scheme.String()
	}
	if w.chain != nil {
		server := t.ServerSide()
		server.Present(d, w.chain)
		server.Validation = &inspect.Validation{Status: inspect.ValidationNotChecked}
	}
	if w.asked != nil {
		w.asked.CertificateSent = w.leaf != nil
		t.ServerSide().CertificateRequest = w.asked
	}
	if w.leaf != nil && t.Client != nil {
		t.Client.Certificate = inspect.DescribeCertificate(w.leaf)
	}
	t.AddAlerts(w.alerts...)
	return true
}
