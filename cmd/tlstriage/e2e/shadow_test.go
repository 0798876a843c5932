package e2e

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestShadowSaysWhomACanaryLoses has a canary that takes TLS 1.3 only, and an old and a new client go to the backend of today.
func TestShadowSaysWhomACanaryLoses(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	today := backend{addr: goBackend(t, pki.Make(certstest.Healthy, site), nil), ca: pki.WriteRoot(t)}
	canary := goBackend(t, pki.Make(certstest.Healthy, site), &tls.Config{MinVersion: tls.VersionTLS13})
	admin, _ := freePort(t)
	p := startProxy(t, today.args("--shadow", canary, "--admin", admin)...)
	live := map[string]bool{}
	for _, highest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := goClient(t, p.Addr, false, nil)
		c.Transport.(*http.Transport).TLSClientConfig.MaxVersion = highest
		for range 2 { // the second one is of the same kind
			response, err := c.Get("https://" + site + "/hello")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			c.CloseIdleConnections()
		}
	}
	var lost []*record
	for len(live) < 4 || len(lost) == 0 {
		r := p.next()
		if r == nil {
			t.Fatalf("%d live records, %d of the shadow\n%s", len(live), len(lost), p.stderr)
		}
		if r.Event.Source == inspect.SourceProxy {
			live[r.Event.ID] = true
			continue
		}
		lost = append(lost, r)
	}
	r := lost[0]
	if len(lost) != 1 || r.Event.Source != inspect.SourceReplay || r.Cause != "canary-refuses" || r.Fault != inspect.FaultBackend || !live[r.Canary.EventID] || r.Canary.To != canary ||
		!strings.Contains(r.Canary.Live, "TLSv1.2") || !strings.Contains(r.Canary.Canary, "protocol_version") {
		t.Errorf("%d records of the shadow: %s", len(lost), r)
	}
	deadline := time.Now().Add(patience)
	for {
		var report struct {
			Sent  int
			Kinds map[string]struct{ Shapes, Connections int }
		}
		response, err := http.Get("http://" + admin + "/shadow")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(response.Body).Decode(&report)
		response.Body.Close()
		if err == nil && report.Sent >= 2 && report.Kinds["worse"].Connections == 2 && report.Kinds["same"].Connections == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/shadow: %v %+v", err, report)
		}
	}
}

// TestBackendsAreExplainedByExperiment has a backend that resets every hello above a size nobody would guess.
func TestBackendsAreExplainedByExperiment(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	chain := pki.Make(certstest.Healthy, site).TLS()
	const most = 700
	addr := rawBackend(t, func(conn net.Conn) {
		header := make([]byte, 5)
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		if size := int(header[3])<<8 | int(header[4]); size > most {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			return
		}
		c := tls.Server(prefixed{conn, io.MultiReader(strings.NewReader(string(header)), conn)}, &tls.Config{Certificates: []tls.Certificate{*chain}})
		if c.Handshake() == nil {
			io.Copy(io.Discard, c)
		}
	})
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
			expect(t, r, want{cause: "backend-reset", fault: inspect.FaultNetwork, verdict: inspect.Failed, outcome: inspect.Failure})
			continue // it takes its time, and the next record has it
		}
		expect(t, r, want{cause: "backend-explained", fault: inspect.FaultNetwork, verdict: inspect.Failed, outcome: inspect.Failure})
		if e == nil || e.Verdict != "explained" || len(e.Causes) == 0 || e.Causes[0].ID != "hello-too-large" || !strings.Contains(e.Causes[0].Evidence, "700") || e.Connections > 60 {
			t.Errorf("%+v", e)
		}
		return
	}
}

// prefixed is a connection of which something was read already.
type prefixed struct {
	net.Conn
	r io.Reader
}

func (p prefixed) Read(b []byte) (int, error) { return p.r.Read(b) }
