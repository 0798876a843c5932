package main

import (
	"fmt"
	"slices"
	"strings"
)

// entry is a built-in policy, ready to be written.
type entry struct {
	fact
	name       string // canonical: provider/name, or provider/product/name
	aliases    []string
	versions   []uint16
	suites     []uint16
	equal      [][]uint16
	groups     []uint16
	schemes    []uint16
	certs      []string
	preference string
	family     string
	noDHE      bool
	highAlert  bool
}

// productSlugs are the words that tell apart the products of one provider that use the same policy names.
var productSlugs = map[string]string{
	"aws|ALB/NLB":                                "alb",
	"aws|ELB (internal name)":                    "elb",
	"aws|Classic Load Balancer":                  "clb",
	"aws|CloudFront viewer":                      "cloudfront",
	"aws|CloudFront origin-facing (client side)": "cloudfront-origin",
	"aws|API Gateway edge-optimized":             "apigateway-edge",
	"aws|API Gateway Regional/private/WebSocket": "apigateway",
	"aws|API Gateway HTTP API":                   "apigateway-http",
	"aws|API Gateway REST API":                   "apigateway-rest",
	"gcp|Load balancing SSL policy":              "lb",
	"azure|Application Gateway":                  "appgw",
	"azure|Front Door Standard/Premium":          "frontdoor",
}

// mainProducts own the plain provider/name where products of a provider share a name.
var mainProducts = []string{"ALB/NLB", "API Gateway Regional/private/WebSocket"}

// families are the TLS libraries behind the products, where a source says so or the program links only one.
var families = map[string]string{
	"aws": "FamilyS2N", "gcp": "FamilyBoringSSL", "cloudflare": "FamilyBoringSSL", "nginx": "FamilyOpenSSL", "haproxy": "FamilyOpenSSL",
	"apache": "FamilyOpenSSL", "ingress-nginx": "FamilyOpenSSL", "envoy": "FamilyBoringSSL", "contour": "FamilyBoringSSL",
	"istio": "FamilyBoringSSL", "go": "FamilyGo", "traefik": "FamilyGo", "caddy": "FamilyGo", "azure|Application Gateway": "FamilyUnknown",
	"mozilla": "FamilyOpenSSL", "local-software|stunnel": "FamilyOpenSSL", "local-software|Node.js https": "FamilyOpenSSL",
	"local-software|Python ssl (PROTOCOL_TLS_SERVER)": "FamilyOpenSSL", "local-software|openssl s_server": "FamilyOpenSSL",
	"local-software|gnutls-serv NORMAL": "FamilyGnuTLS",
	// Classic Load Balancers were built before s2n-tls existed; no source says what they run today.
	"aws|Classic Load Balancer": "FamilyUnknown", "aws|API Gateway edge-optimized": "FamilyUnknown",
	"aws|API Gateway Regional/private/WebSocket": "FamilyUnknown", "aws|API Gateway HTTP API": "FamilyUnknown",
}

// refuseOldWithInternalError are the measured servers that leave the minimum version to OpenSSL's security level, which
// answers a TLS 1.0 or 1.1 hello with internal_error.
var refuseOldWithInternalError = []string{"nginx-1.22.1-openssl-3.0", "stunnel-5.68-openssl-3.0", "openssl-s_server-3.0"}

// skipped reports why a fact does not become a policy; "" when it does.
func skipped(f fact) string {
	switch {
	case len(f.Versions) == 0 || len(f.Ciphers) == 0:
		return "no versions or no suites known"
	case f.Provider == "f5":
		return "the source is an excerpt that stops in the middle of the list"
	}
	return ""
}

func convert(facts []fact, codes codePoints) ([]entry, error) {
	var entries []entry
	for _, f := range facts {
		if skipped(f) != "" {
			continue
		}
		e := entry{fact: f, preference: "PreferenceUnknown", family: "FamilyUnknown"}
		var err error
		lists := []struct {
			into  *[]uint16
			names []string
			codes map[string]uint16
		}{{&e.versions, f.Versions, codes.versions}, {&e.suites, f.Ciphers, codes.suites}, {&e.groups, f.Groups, codes.groups}, {&e.schemes, f.Schemes, codes.schemes}}
		for _, l := range lists {
			if *l.into, err = numbers(l.names, l.codes); err != nil {
				return nil, fmt.Errorf("%s/%s: %w", f.Provider, f.Name, err)
			}
		}
		if slices.Contains(e.versions, 0x0304) && !slices.ContainsFunc(e.suites, func(s uint16) bool { return s>>8 == 0x13 }) {
			e.suites = append([]uint16{0x1301, 0x1302, 0x1303}, e.suites...)
			e.Notes = strings.TrimSpace(e.Notes + " The source states TLS 1.3 but not its suites: the three common ones are assumed.")
		}
		slices.Sort(e.versions)
		e.versions = slices.Compact(e.versions)
		for _, g := range f.Equal {
			ids, err := numbers(g, codes.suites)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", f.Provider, f.Name, err)
			}
			e.equal = append(e.equal, ids)
		}
		if f.Preference != nil {
			switch {
			case *f.Preference == "server":
				e.preference = "PreferServer"
			case *f.Preference == "client":
				e.preference = "PreferClient"
			case strings.HasPrefix(*f.Preference, "server, ChaCha20 first"):
				e.preference = "PreferServerChaCha"
			case strings.HasPrefix(*f.Preference, "n/a"):
			default:
				return nil, fmt.Errorf("%s/%s: unknown cipher_preference %q", f.Provider, f.Name, *f.Preference)
			}
		}
		for _, key := range []string{f.Provider + "|" + f.Product, f.Provider} {
			if family, ok := families[key]; ok {
				e.family = family
				break
			}
		}
		if e.family == "FamilyGo" && e.Name != "caddy-2.6.2" {
			// crypto/tls lists SHA-1 but has not made such handshake signatures since Go 1.25, as the facts' notes say.
			e.schemes = slices.DeleteFunc(e.schemes, func(s uint16) bool { return s>>8 == 2 })
		}
		e.aliases = aliases(f)
		e.certs = certificates(f)
		// nginx has no DH parameters of its own since 1.11.0 (ssl_dhparam), and ingress-nginx sets none.
		e.noDHE = (f.Provider == "nginx" && f.Name != "nginx-1.1.13..1.9.0") || f.Provider == "ingress-nginx"
		e.highAlert = slices.Contains(refuseOldWithInternalError, f.Name)
		entries = append(entries, e)
	}
	return entries, name(entries)
}

// name gives every entry its canonical name and the longer one that names the product, and refuses two equal ones.
func name(entries []entry) error {
	count := map[string]int{}
	for _, e := range entries {
		count[strings.ToLower(e.Provider+"/"+e.Name)]++
	}
	for i := range entries {
		e := &entries[i]
		plain := e.Provider + "/" + e.Name
		long := plain
		if slug := productSlugs[e.Provider+"|"+e.Product]; slug != "" {
			long = e.Provider + "/" + slug + "/" + e.Name
		}
		e.name = plain
		if count[strings.ToLower(plain)] > 1 && !slices.Contains(mainProducts, e.Product) {
			e.name = long
		}
		if long != e.name {
			e.aliases = append(e.aliases, long)
		}
		if e.Product == "ALB/NLB" {
			e.aliases = append(e.aliases, e.Provider+"/nlb/"+e.Name)
		}
	}
	seen := map[string]string{}
	for _, e := range entries {
		for _, n := range append([]string{e.name}, e.aliases...) {
			key := strings.ToLower(n)
			if other, ok := seen[key]; ok {
				return fmt.Errorf("%s names both %s and %s", n, other, e.name)
			}
			seen[key] = e.name
		}
	}
	return nil
}

// aliases keeps the aliases that are names; remarks of the facts ("default (API)") are not.
func aliases(f fact) []string {
	var out []string
	for _, a := range f.Aliases {
		a, _, _ = strings.Cut(a, " (")
		if a == "default" || strings.Contains(a, " ") {
			continue
		}
		out = append(out, a)
	}
	return out
}

// certificates are the kinds of certificate that the facts prescribe; nil where they prescribe none.
func certificates(f fact) []string {
	if f.Certificate == nil {
		return nil
	}
	var out []string
	for _, t := range f.Certificate.Types {
		switch t {
		case "rsa":
			out = append(out, "CertRSA")
		case "ecdsa":
			for _, c := range f.Certificate.Curves {
				switch c {
				case "prime256v1":
					out = append(out, "CertECDSAP256")
				case "secp384r1":
					out = append(out, "CertECDSAP384")
				case "secp521r1":
					out = append(out, "CertECDSAP521")
				}
			}
		}
	}
	return out
}

func numbers(names []string, codes map[string]uint16) ([]uint16, error) {
	if names == nil {
		return nil, nil
	}
	out := make([]uint16, 0, len(names))
	for _, n := range names {
		id, ok := codes[n]
		if !ok {
			return nil, fmt.Errorf("%q is in no registry", n)
		}
		out = append(out, id)
	}
	return out, nil
}
