package replay

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// BenchmarkReplay sends distinct hellos to nginx. What is asked for are 200 hellos a second one after another and 2,000 at once, of which a
// machine that others use, too, tells little; what a hello takes of a processor here does not depend on them.
func BenchmarkReplay(b *testing.B) {
	target := nginx(b)
	var subjects []*Subject
	for range 10 { // so that the last ones of a run do not count for much
		subjects = append(subjects, samples(b, "all")...)
	}
	for _, bench := range []struct {
		name        string
		concurrency int
		until       probe.Goal
	}{{"sequential", 1, probe.UntilFlight}, {"concurrent-64", 64, probe.UntilFlight}} {
		b.Run(bench.name, func(b *testing.B) {
			sent, before := 0, processorTime(b)
			b.ReportAllocs()
			for b.Loop() {
				r := Runner{Targets: []Target{target}, Rate: -1, Concurrency: bench.concurrency, Once: true, Total: 1 << 30, Until: bench.until}
				report, err := r.Run(b.Context(), subjects)
				if err != nil {
					b.Fatal(err)
				}
				sent += report.Connections
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "hellos/s")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(sent), "cpu-µs/hello")
		})
	}
}

func nginx(b *testing.B) Target {
	path, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is not installed")
	}
	dir := b.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	pair := certificate(b)
	writePair(b, dir, pair)
	conf := filepath.Join(dir, "nginx.conf")
	text := `daemon off; pid ` + dir + `/pid; error_log ` + dir + `/error.log crit; worker_processes 2;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ` + dir + `; proxy_temp_path ` + dir + `; fastcgi_temp_path ` + dir + `; uwsgi_temp_path ` + dir + `; scgi_temp_path ` + dir + `;
  server { listen ` + address + ` ssl backlog=4096; ssl_certificate ` + dir + `/cert.pem; ssl_certificate_key ` + dir + `/key.pem; ssl_protocols TLSv1.2 TLSv1.3; }
}
`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	server := exec.Command(path, "-p", dir, "-c", conf)
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Process.Signal(os.Interrupt); _ = server.Wait() })
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for range 500 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return Target{Label: address, Target: probe.Target{Address: address}}
		}
		<-again.C
	}
	b.Fatal("nginx does not listen")
	return Target{}
}
