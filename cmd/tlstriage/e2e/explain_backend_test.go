package e2e

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestAnAlertThatHintsAtSuitesIsExplained has a real OpenSSL that takes one group that the proxy does not offer. It answers handshake_failure,
// which alone looks like suites; the experiment shows the group, and cause, fault and fixes follow it.
func TestAnAlertThatHintsAtSuitesIsExplained(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	cert, key := healthyChain(pki).WriteFiles(t)
	addr := sServer(t, cert, key, "-tls1_3", "-groups", "X448")
	p := startProxy(t, backend{addr: addr, ca: pki.WriteRoot(t)}.args("--explain-backend")...)
	for try := range 20 {
		c := goClient(t, p.Addr, false, nil)
		if response, err := c.Get("https://" + site + "/hello"); err == nil {
			response.Body.Close()
		}
		c.CloseIdleConnections()
		r := p.nextFor(t)
		e := r.BackendLeg.Experiment
		if e == nil && try < 19 {
			expect(t, r, want{cause: "backend-cipher-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
			continue // it takes its time, and a later record has it
		}
		expect(t, r, want{cause: "backend-explained", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
		if e == nil || e.Verdict != "explained" || len(e.Causes) != 1 || e.Causes[0].ID != "no-common-group" || !strings.Contains(e.Causes[0].Sentence, "x448") {
			t.Fatalf("%+v", e)
		}
		for _, f := range r.Findings {
			if f.ID == "backend-cipher-no-overlap" {
				t.Errorf("%s beside the experiment: %s", f.ID, f.Detail)
			}
			if f.ID == "backend-explained" && (!strings.Contains(f.Title+f.Detail, "group") || len(f.Fixes) == 0 || !strings.Contains(f.Fixes[0].Action, "group")) {
				t.Errorf("%q, %q, %+v", f.Title, f.Detail, f.Fixes)
			}
		}
		return
	}
}
