package revocation

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// scope is which certificates a list speaks of: issuingDistributionPoint (RFC 5280, Section 5.2.5) and deltaCRLIndicator (5.2.4).
type scope struct {
	delta      bool
	indirect   bool
	relative   bool     // its point is named relative to the issuer
	names      []string // GeneralNames of its point as DER; nil: the list is of no point in particular
	uris       []string
	users      bool // end-entity certificates only
	authority  bool // CA certificates only
	attributes bool // attribute certificates only
	partial    bool // some reasons only
}

func (l *List) readExtensions(in cryptobyte.String) error {
	return eachExtension(in, func(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error {
		switch oid.String() {
		case "2.5.29.27": // deltaCRLIndicator
			l.scope.delta = true
		case "2.5.29.28": // issuingDistributionPoint
			return l.scope.readPoint(value)
		case "2.5.29.20", "2.5.29.35": // cRLNumber, authorityKeyIdentifier: they help to choose among lists, the signature decides
		default:
			if critical {
				l.critical = oid.String()
			}
		}
		return nil
	})
}

// readPoint reads IssuingDistributionPoint.
func (s *scope) readPoint(value cryptobyte.String) error {
	var point, name, flags cryptobyte.String
	var hasName bool
	malformed := errors.New("issuingDistributionPoint: malformed")
	if !value.ReadASN1(&point, cbasn1.SEQUENCE) || !value.Empty() || !point.ReadOptionalASN1(&name, &hasName, explicit0) {
		return malformed
	}
	if hasName {
		var full bool
		if s.names, s.uris, full = readPointName(name); !full {
			s.relative = true
		}
	}
	for _, field := range []struct {
		tag   cbasn1.Tag
		value *bool
	}{{implicit1, &s.users}, {implicit2, &s.authority}, {cbasn1.Tag(0x80 | 3), &s.partial}, {cbasn1.Tag(0x80 | 4), &s.indirect}, {cbasn1.Tag(0x80 | 5), &s.attributes}} {
		var present bool
		if !point.ReadOptionalASN1(&flags, &present, field.tag) {
			return malformed
		}
		// A flag that is written as false is not DER, but clear; onlySomeReasons is a set of bits and counts when it is there.
		*field.value = present && (field.value == &s.partial || len(flags) == 1 && flags[0] != 0)
	}
	if !point.Empty() {
		return malformed
	}
	return nil
}

// flaw is why a list speaks of no certificate of its issuer, or not in a way that is followed; nil where it does.
func (s *scope) flaw() (Result, error) {
	switch {
	case s.delta:
		return Unsupported, errors.New("the list is a delta: it says what changed since another list, not who is revoked")
	case s.indirect:
		return Unsupported, errors.New("the list is an indirect one: it mixes the certificates of several issuers, which is not followed")
	case s.relative:
		return Unsupported, errors.New("the list names its distribution point relative to its issuer, which is not followed")
	case s.attributes:
		return WrongCertificate, errors.New("the list is of attribute certificates only")
	}
	return "", nil
}

// covers says whether a list speaks of the certificate, found at one of its points (RFC 5280, Section 6.3.3, step b).
func (s *scope) covers(cert *x509.Certificate) (Result, error) {
	if result, err := s.flaw(); err != nil {
		return result, err
	}
	switch {
	case s.users && cert.IsCA:
		return WrongCertificate, errors.New("the list is of end-entity certificates only, and the certificate is a CA's")
	case s.authority && !cert.IsCA:
		return WrongCertificate, errors.New("the list is of CA certificates only, and the certificate is none")
	case s.names == nil:
		return "", nil
	}
	var own []string
	for _, point := range distributionPoints(cert) {
		if slices.ContainsFunc(point.names, func(name string) bool { return slices.Contains(s.names, name) }) {
			return "", nil
		}
		own = append(own, point.uris...)
	}
	return WrongCertificate, fmt.Errorf("the list is the part of another distribution point (%q) than the certificate's (%q)",
		clip(strings.Join(s.uris, " ")), clip(strings.Join(own, " ")))
}
