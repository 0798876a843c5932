//go:build unix

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// After SIGTERM a transfer that is under way comes to its end, nobody else is let in, and whoever asks is told.
func TestDrainFinishesATransfer(t *testing.T) {
	s := newSite(t)
	payload := bytes.Repeat([]byte("all of this must arrive. "), 200_000) // 5 MB: more than the sockets hold
	goOn := make(chan struct{})
	backend := s.backend(certstest.Healthy, "app.example", nil, func(c *tls.Conn) {
		c.Write(payload[:1000])
		<-goOn
		c.Write(payload[1000:])
		c.CloseWrite()
		io.Copy(io.Discard, c)
	})
	p := startProxy(t, nil, s.flags(backend, "app.example")...)
	address := p.address("default")
	c := dialTLS(t, address, s.client("app.example"))
	beginning := make([]byte, 1000)
	if _, err := io.ReadFull(c, beginning); err != nil {
		t.Fatal(err)
	}
	p.terminate()
	p.waitLogged("draining")
	eventually(t, "new connections are refused", func() error {
		conn, err := net.DialTimeout("tcp", address, patience)
		if err == nil {
			conn.Close()
			return errors.New("one was accepted")
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		return nil
	})
	if status, body := p.admin("/readyz?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := p.admin("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	close(goOn)
	rest, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(append(beginning, rest...), payload) {
		t.Errorf("%d of %d bytes came, %v", 1000+len(rest), len(payload), err)
	}
	c.Close()
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
	for _, r := range p.records(1) { // who knocked before the door was shut has a record too
		if r.at("client_leg", "tls") != nil && r["verdict"] != "ok" {
			t.Errorf("verdict %v, cause %v", r["verdict"], r["cause"])
		}
	}
}

// A connection that does not end is cut when the drain time is over, and the process ends.
func TestDrainTimeCutsWhatIsStuck(t *testing.T) {
	s := newSite(t)
	backend := s.backend(certstest.Healthy, "app.example", nil, echo)
	p := startProxy(t, nil, s.flags(backend, "app.example", "--timeout-drain", "300ms", "--fail-on", "never")...)
	stuck := dialTLS(t, p.address("default"), s.client("app.example"))
	exchange(t, stuck, "hello")
	silent := dialTCP(t, p.address("default")) // has not even said hello
	eventually(t, "both connections are open", func() error {
		if got := p.metric("tlstriage_connections_active"); got != "2" {
			return errors.New(got)
		}
		return nil
	})
	begun := time.Now()
	p.terminate()
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(begun); took < 300*time.Millisecond || took > patience {
		t.Errorf("ended after %v", took)
	}
	p.waitLogged("connections were cut at the end of the drain time")
	for _, c := range []net.Conn{stuck, silent} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("more came")
		}
	}
	if got := len(p.records(2)); got != 2 {
		t.Errorf("%d records", got)
	}
}

// A second signal does not wait for anybody.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := newSite(t)
	backend := s.backend(certstest.Healthy, "app.example", nil, echo)
	p := startProxy(t, nil, s.flags(backend, "app.example", "--timeout-drain", "1h")...)
	c := dialTLS(t, p.address("default"), s.client("app.example"))
	exchange(t, c, "hello")
	p.terminate()
	p.waitLogged("draining")
	eventually(t, "the end", func() error {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			return nil
		default:
			return errors.New("still running")
		}
	})
	if code := p.exitCode(); code == exitClean {
		t.Error("exit code 0, although a connection was cut")
	}
}

// The exit code tells whether findings at or above --fail-on were seen.
func TestFailOn(t *testing.T) {
	s := newSite(t)
	healthy := s.web(certstest.Healthy, "app.example", "hello")
	expiring := s.web(certstest.ExpiringSoon, "app.example", "hello") // a warning
	expired := s.web(certstest.Expired, "app.example", "hello")       // an error
	for _, test := range []struct {
		name, backend string
		flags         []string
		code          int
	}{
		{"nothing wrong", healthy, []string{"--fail-on", "warning"}, exitClean},
		{"error by default", expired, nil, exitFindings},
		{"warning is below the default", expiring, nil, exitClean},
		{"warning", expiring, []string{"--fail-on", "warning"}, exitFindings},
		{"warning by info", expiring, []string{"--fail-on", "info"}, exitFindings},
		{"error by warning", expired, []string{"--fail-on=warning"}, exitFindings},
		{"never", expired, []string{"--fail-on", "never"}, exitClean},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
			p := startProxy(t, nil, s.flags(test.backend, "app.example", test.flags...)...)
			s.answers(p.address("default"), "app.example", "hello")
			p.records(1)
			p.terminate()
			if code := p.exitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}
