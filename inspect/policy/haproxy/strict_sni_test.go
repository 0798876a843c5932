package haproxy_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestStrictSNIWithoutTheCertificate: where the certificate is not here to be read, so that its names are not known, the endpoint is there
// all the same, and refuses clients without a name.
func TestStrictSNIWithoutTheCertificate(t *testing.T) {
	r := importText(t, "frontend f\n bind :443 ssl crt nowhere.pem strict-sni ssl-min-ver TLSv1.3\n", "2.6")
	e := haproxy.Select(r, "any.example", "")
	if e == nil || !e.Policy.SNIRequired || len(e.Policy.Versions) != 1 {
		t.Fatalf("endpoint %+v of %d; problems %q", e, len(r.Endpoints), importertest.Problems(r))
	}
	if told := strings.Join(importertest.Problems(r), "\n"); !strings.Contains(told, "haproxy.cfg:2: strict-sni: the names of the certificates are not known here") {
		t.Errorf("problems %s", told)
	}
}
