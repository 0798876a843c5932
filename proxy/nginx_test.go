package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// nginx runs nginx with servers in its http block until the test ends, on a free port that the configuration has as %s.
func nginx(t *testing.T, servers string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no nginx to test with")
	} else if err != nil {
		t.Skip("no nginx to test with")
	}
	address, dir := freePort(t), t.TempDir()
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
%[2]s }`, dir, fmt.Sprintf(servers, address))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-p", dir, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
	}
	t.Fatal("nginx does not listen")
	return ""
}

// A front end that rejects every name but its own, as nginx does with ssl_reject_handshake: the second look finds the name that works.
func TestSecondLookAtNginx(t *testing.T) {
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.Healthy, "site.example.com").WriteFiles(t)
	address := nginx(t, fmt.Sprintf(`server { listen %%[1]s ssl default_server; ssl_reject_handshake on; }
server { listen %%[1]s ssl; server_name site.example.com; ssl_certificate %s; ssl_certificate_key %s; }`, cert, key))
	for _, tt := range []struct {
		name, configured, asked string
		mode                    Mode
		works                   string // origin of the name that works
	}{
		{"the configured name is wrong", "wrong.example.com", "site.example.com", Bridge, inspect.LookClientName},
		{"the client's name is wrong", "", "wrong.example.com", Bridge, ""},
		{"passed through, the configured name would work", "site.example.com", "wrong.example.com", Passthrough, inspect.LookConfigured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &rig{t: t, pki: pki, records: make(chan *inspect.Connection, 4)}
			r.server = &Server{Limits: shortLimits(), OnConnection: func(c *inspect.Connection) { r.records <- c }, LookAgain: func(*inspect.Connection) bool { return true }}
			r.server.looker.patience = patience
			l := &Listener{Address: "127.0.0.1:0", Mode: tt.mode, Routes: []*Route{{Backend: &Backend{Address: address, ServerName: tt.configured}, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
			if err := r.server.Start([]*Listener{l}); err != nil {
				t.Fatal(err)
			}
			r.address = r.at(l)
			c := tls.Client(r.tcp(), &tls.Config{ServerName: tt.asked, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			c.Handshake()
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Failure)
			works := ""
			for _, look := range record.BackendLeg.Looks {
				if look.Established {
					works = look.Origin
					if look.Certificate == nil || look.Certificate.AlternativeNames[0] != "site.example.com" {
						t.Errorf("%+v", look.Certificate)
					}
				} else if look.Alert == nil || look.Alert.Description != "unrecognized_name" {
					t.Errorf("%+v: %+v", look, look.Error)
				}
			}
			if works != tt.works || len(record.BackendLeg.Looks) < 3 {
				t.Errorf("works: %q of %+v", works, record.BackendLeg.Looks)
			}
			r.none()
		})
	}
}
