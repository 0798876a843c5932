package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestRoutesAskClientsForTheirOwn has one listener whose routes trust different authorities, and one that asks nobody.
func TestRoutesAskClientsForTheirOwn(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	backendCA := pki.WriteRoot(t)
	url := "tls://" + goBackend(t, pki.Make(certstest.Healthy, site), nil)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	ours := pki.Issue(pki.Root, certs.Template{CommonName: "ours", Usages: usage}).TLS()
	theirs := pki.Issue(pki.OtherRoot, certs.Template{CommonName: "theirs", Usages: usage}).TLS()
	theirCA := writeFile(t, "partners.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.OtherRoot.Certificate.Raw})))
	back := fmt.Sprintf("{url: %q, ca: %q, server_name: %s}", url, backendCA, site)
	p := startProxy(t, "--config", writeFile(t, "proxy.yaml", fmt.Sprintf(`listeners:
  - address: 127.0.0.1:0
    client_auth: require
    client_ca: %q
    routes:
      - {server_names: [ours.example], backend: %[2]s}
      - {server_names: [partners.example], backend: %[2]s, client_ca: %[3]q}
      - {server_names: [open.example], backend: %[2]s, client_auth: none}
ca_dir: %[4]q
`, backendCA, back, theirCA, authority)))
	for _, test := range []struct {
		name  string
		shows *tls.Certificate
		cause string // of the refusal; empty: served
	}{
		{"ours.example", ours, ""}, {"ours.example", theirs, "client-cert-untrusted"}, {"ours.example", nil, "client-cert-missing"},
		{"partners.example", theirs, ""}, {"partners.example", ours, "client-cert-untrusted"}, {"partners.example", nil, "client-cert-missing"},
		{"open.example", nil, ""}, {"open.example", theirs, ""},
	} {
		c, err := tls.Dial("tcp", p.Addr, &tls.Config{ServerName: test.name, InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if test.shows == nil {
				return &tls.Certificate{}, nil
			}
			return test.shows, nil
		}})
		if err == nil {
			fmt.Fprintf(c, "GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", test.name)
			c.Read(make([]byte, 1024))
			c.Close()
		}
		r := p.nextFor(t)
		if test.cause == "" {
			expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
		} else {
			expect(t, r, want{cause: test.cause, fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure})
		}
	}
}
