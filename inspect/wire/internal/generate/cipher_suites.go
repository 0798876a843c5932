package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// suite is a row of cipher-suites.json.
type suite struct {
	ID         hex    `json:"id"`
	Name       string `json:"name"`
	Registered bool   `json:"iana_registered"`
	OpenSSL    string `json:"openssl_name"`
	Testssl    string `json:"openssl_name_testssl"`
	GnuTLS     string `json:"gnutls_name"`
	KX         string `json:"kx"`
	Auth       string `json:"auth"`
	Enc        string `json:"enc"`
	Mode       string `json:"mode"`
	Bits       int    `json:"key_bits"`
	AEAD       bool   `json:"aead"`
	MAC        string `json:"mac"`
	PRF        string `json:"prf"`
	FS         bool   `json:"fs"`
	Export     bool   `json:"export"`
	Min        string `json:"min_version_openssl"`
	Max        string `json:"max_version"`
	Recommend  string `json:"iana_recommended_2022_12"`
	RFC9847    string `json:"iana_recommended_rfc9847"`
	Unofficial *struct {
		KX     string `json:"kx"`
		Auth   string `json:"au"`
		Enc    string `json:"enc"`
		MAC    string `json:"mac"`
		Export bool   `json:"export"`
	} `json:"testssl"`
}

var versionConstants = map[string]string{
	"SSLv3": "VersionSSLv3", "TLSv1": "VersionTLS10", "TLSv1.1": "VersionTLS11", "TLSv1.2": "VersionTLS12", "TLSv1.3": "VersionTLS13",
}

func (g *generator) cipherSuites() error {
	var file struct {
		Suites []suite `json:"cipher_suites"`
		SSLv2  []struct {
			ID   hex    `json:"id"`
			Name string `json:"name"`
		} `json:"sslv2"`
	}
	if err := g.read("cipher-suites.json", &file); err != nil {
		return err
	}
	slices.SortFunc(file.Suites, func(a, b suite) int { return cmp.Compare(a.ID, b.ID) })

	terms := &termList{index: map[string]int{"": 0}, terms: []string{""}}
	var rows strings.Builder
	var constants []suite
	var iana, openssl, others []alias
	for _, s := range file.Suites {
		if s.Name == "" {
			continue
		}
		s.complete()
		line, err := s.row(terms)
		if err != nil {
			return err
		}
		rows.WriteString(line)
		id := uint32(s.ID)
		iana = append(iana, alias{s.Name, id, false})
		openssl = append(openssl, alias{s.OpenSSL, id, true})
		others = append(others, alias{s.Testssl, id, true}, alias{s.GnuTLS, id, false})
		if s.Registered && !strings.HasSuffix(s.Name, "_SCSV") {
			constants = append(constants, s)
		}
	}
	g.printf("// Cipher suites by their IANA names, as crypto/tls spells them.\nconst (\n")
	for _, s := range constants {
		g.printf("%s CipherSuite = %#04x\n", s.Name, uint32(s.ID))
	}
	g.printf(")\n\nvar suiteTerms = [...]string{")
	for _, t := range terms.terms {
		g.printf("%q, ", t)
	}
	g.printf("}\n\nvar suiteFacts = [...]suiteFact{\n%s}\n\n", rows.String())
	// GnuTLS has names that differ from IANA's in small ways, testssl.sh those of older OpenSSL releases: a name that
	// IANA or OpenSSL gives to another suite stays theirs.
	g.index("suiteIndex", "CipherSuite", slices.Concat(iana, openssl, others))

	var kinds []named
	for _, k := range file.SSLv2 {
		kinds = append(kinds, named{uint32(k.ID), k.Name})
	}
	g.table("sslv2CipherKindNames", "SSLv2CipherKind", kinds)
	return nil
}

// complete fills in what the registry file does not derive: the facts of suites that IANA never registered.
func (s *suite) complete() {
	if u := s.Unofficial; u != nil && s.KX == "" {
		s.KX, _ = withBits(u.KX)
		s.Auth, s.MAC, s.Export = u.Auth, u.MAC, u.Export
		s.Enc, s.Bits = withBits(u.Enc)
		s.Enc, s.AEAD = strings.TrimSuffix(s.Enc, "GCM"), u.MAC == "AEAD"
		s.Enc = strings.ToUpper(s.Enc)
		if s.Enc == "NONE" {
			s.Enc = "NULL"
		}
		for _, mode := range []string{"CBC", "GCM", "POLY1305", "CNT"} {
			if strings.Contains(s.Name, "_"+mode) {
				s.Mode = mode
			}
		}
		if s.Enc == "RC4" {
			s.Mode = "stream"
		}
		// The list writes DH and ECDH for the ephemeral forms, too; the suite's name tells them apart.
		if strings.HasPrefix(s.Name, "TLS_DHE_") || strings.HasPrefix(s.Name, "TLS_ECDHE_") {
			s.KX += "E"
		}
		s.FS = s.KX == "DHE" || s.KX == "ECDHE" || s.KX == "CECPQ1"
	}
	if s.Min == "" {
		s.Min = "SSLv3"
	}
	if s.AEAD && s.Min == "SSLv3" {
		s.Min = "TLSv1.2"
	}
	if s.Max == "" {
		s.Max = "TLSv1.2"
	}
	if s.RFC9847 != "" {
		s.Recommend = s.RFC9847
	}
	if s.Recommend == "" {
		s.Recommend = "N"
	}
}

// withBits takes "RC4(128)" apart.
func withBits(s string) (string, int) {
	name, rest, _ := strings.Cut(s, "(")
	n, _ := strconv.Atoi(strings.TrimSuffix(rest, ")"))
	return name, n
}

func (s *suite) row(terms *termList) (string, error) {
	low, high := versionConstants[s.Min], versionConstants[s.Max]
	if low == "" || high == "" {
		return "", fmt.Errorf("cipher suite %s: versions %q to %q", s.Name, s.Min, s.Max)
	}
	var flags []string
	for _, f := range []struct {
		set  bool
		name string
	}{{s.AEAD, "suiteAEAD"}, {s.FS, "suiteForwardSecret"}, {s.Export, "suiteExport"}} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	if flags == nil {
		flags = []string{"0"}
	}
	return fmt.Sprintf("{%q, %q, %#04x, %s, %s, %d, %d, %d, %d, %d, %d, %d, %s, '%c'},\n", s.Name, s.OpenSSL, uint32(s.ID), low, high, s.Bits,
		terms.at(s.KX), terms.at(s.Auth), terms.at(s.Enc), terms.at(s.Mode), terms.at(s.MAC), terms.at(s.PRF), strings.Join(flags, "|"), s.Recommend[0]), nil
}

// termList numbers the few words that the facts of suites are made of, so that a row of the table stays small.
type termList struct {
	index map[string]int
	terms []string
}

func (t *termList) at(s string) int {
	i, ok := t.index[s]
	if !ok {
		i = len(t.terms)
		t.index[s] = i
		t.terms = append(t.terms, s)
	}
	return i
}
