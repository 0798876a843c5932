package chain_test

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// opensslAccepts asks openssl verify, at the security level that Debian's clients have.
func opensslAccepts(t *testing.T, p *certstest.PKI, root string, presented []*x509.Certificate, name string) (bool, string) {
	t.Helper()
	path := program(t, "openssl")
	args := []string{"verify", "-auth_level", "2", "-purpose", "sslserver", "-attime", strconv.FormatInt(p.Now.Unix(), 10), "-verify_hostname", name,
		"-CAfile", root, "-no-CApath", "-no-CAstore"}
	if len(presented) > 1 {
		args = append(args, "-untrusted", certstest.WriteCertificates(t, presented[1:]...))
	}
	out, err := exec.Command(path, append(args, certstest.WriteCertificates(t, presented[0]))...).CombinedOutput()
	return err == nil, string(out)
}

func TestExamineAgreesWithOpenSSL(t *testing.T) {
	p := certstest.New(t)
	root := p.WriteRoot(t)
	differs := map[certstest.Kind]string{
		certstest.CommonNameOnly: "OpenSSL still reads the common name; crypto/tls and browsers do not",
	}
	for _, kind := range certstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			c := p.Make(kind, name)
			r := chain.Examine(c.Raw(), options(p))
			accepts, said := opensslAccepts(t, p, root, c.Presented, name)
			if why := differs[kind]; why != "" {
				if accepts == r.Valid {
					t.Errorf("no longer true: %s", why)
				}
				return
			}
			if accepts != r.Valid {
				t.Errorf("openssl accepts: %v, valid: %v, %+v\n%s", accepts, r.Valid, r.Faults, said)
			}
		})
	}
}

// Chains put together at random from good and bad parts: the verdict is OpenSSL's, however the faults meet.
func TestExamineAgreesWithOpenSSLOnMixtures(t *testing.T) {
	p := certstest.New(t)
	root := p.WriteRoot(t)
	const seed = 20261121
	rng := rand.New(rand.NewPCG(seed, 1))
	day := 24 * time.Hour
	issuers := []*certs.Pair{p.Issuing, p.Intermediate, p.Root, p.OtherIntermediate,
		p.Issue(p.Intermediate, certs.Template{CommonName: "Lapsed", CA: true, NotBefore: p.Now.Add(-99 * day), NotAfter: p.Now.Add(-day)}),
		p.Issue(p.Intermediate, certs.Template{CommonName: "SHA-1", CA: true, Signature: x509.ECDSAWithSHA1}),
		p.Issue(p.Intermediate, certs.Template{CommonName: "Client CA", CA: true, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})}
	accepted := 0
	for i := range 60 {
		tpl := certs.Template{Names: []string{name}}
		switch rng.IntN(8) {
		case 0:
			tpl.Names = []string{"*.example.com"}
		case 1:
			tpl.Names = []string{"*.com", "example.com"}
		case 2:
			tpl.NotBefore, tpl.NotAfter = p.Now.Add(-9*day), p.Now.Add(-day)
		case 3:
			tpl.Key = certs.ECDSAP384
		case 4:
			tpl.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		}
		leaf := p.Issue(issuers[rng.IntN(len(issuers))], tpl)
		above := leaf.Chain()[1:]
		for range rng.IntN(3) {
			above = append(above, issuers[rng.IntN(len(issuers))].Certificate)
		}
		if rng.IntN(2) == 0 {
			above = append(above, p.Root.Certificate)
		}
		rng.Shuffle(len(above), func(i, j int) { above[i], above[j] = above[j], above[i] })
		if len(above) > 0 && rng.IntN(3) == 0 {
			above = above[1:]
		}
		presented := append([]*x509.Certificate{leaf.Certificate}, above...)
		r := chain.Examine(raw(presented...), options(p))
		accepts, said := opensslAccepts(t, p, root, presented, name)
		if accepts != r.Valid {
			t.Errorf("chain %d of seed %d: openssl accepts: %v, valid: %v, %+v\n%s%s", i, seed, accepts, r.Valid, r.Faults, said, subjects(presented))
		}
		if accepts {
			accepted++
		}
	}
	if accepted < 5 || accepted > 55 {
		t.Errorf("%d of 60 accepted: the mixture tests one side only", accepted)
	}
}

func subjects(list []*x509.Certificate) (s string) {
	for _, c := range list {
		s += fmt.Sprintf("  %s, issued by %s\n", c.Subject, c.Issuer)
	}
	return s
}
