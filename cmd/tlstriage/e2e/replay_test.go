package e2e

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// replayed is what a line of `replay -o json` adds to a record.
type replayed struct {
	To          string   `json:"to"`
	SentShape   string   `json:"sent_shape"`
	Shape       string   `json:"shape"`
	Outcome     string   `json:"outcome"`
	Accepted    bool     `json:"accepted"`
	Client      string   `json:"client"`
	Connections int      `json:"connections"`
	Contradicts []string `json:"contradicts"`
}

// Clients come to the proxy for a while; what they sent is made small and sent to the server of tomorrow, in whose place one of them fails.
func TestRecordedClientsMeetTheNextServer(t *testing.T) {
	t.Parallel()
	cert, key, _ := files(t)
	file := filepath.Join(t.TempDir(), "hellos.ndjson")
	p := startProxy(t, healthyGo(t).args("--record", file)...)
	for range 3 {
		sClient("-tls1_2")(t, p.Addr)
		p.next()
	}
	sClient("-groups", "P-256")(t, p.Addr)
	p.next()
	sClient("-tls1", "-cipher", "DEFAULT@SECLEVEL=0")(t, p.Addr)
	p.next()
	p.stop()

	small := client(t, "", program, "recording", "compact", file, "--into", file+".compact")
	if small.code != 0 || !strings.Contains(small.out, "5 connections of 3 kinds of clients") {
		t.Fatalf("compact: %d\n%s", small.code, small.out)
	}
	old := nginxServer(t, cert, key, "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0;")
	next := nginxServer(t, cert, key, "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp384r1;")
	for _, from := range []string{file, file + ".compact"} {
		got := client(t, "", program, "replay", "--from", from, "--to", old, "--to", next, "--fail-on-loss", "39%")
		for _, want := range []string{
			"2 of 3 hellos, 2 connections (40.0 %), succeed on " + old + " and fail on " + next,
			"they go up to TLSv1.0", "none offers secp384r1, the group that was chosen with the others; likely OpenSSL", "other group",
			"3 hellos, ", // in the line about connections
		} {
			if !strings.Contains(got.out, want) {
				t.Errorf("%s: %q is not in\n%s", from, want, got.out)
			}
		}
		if got.code != 1 {
			t.Errorf("exit code %d, want 1 for a loss of 40 %%", got.code)
		}
	}
	if got := client(t, "", program, "replay", "--from", file, "--to", old, "--to", next, "--fail-on-loss", "40%"); got.code != 0 {
		t.Errorf("exit code %d for a loss that is accepted\n%s", got.code, got.out)
	}

	both := client(t, "", program, "replay", "--from", file, "--to", old, "--to", next, "-o", "json")
	if n := strings.Count(both.out, `"class":"worse"`); n != 2 || !strings.Contains(both.out, `"class":"different","differs":["group"]`) {
		t.Errorf("%d records say worse\n%s", n, both.out)
	}

	got := client(t, "", program, "replay", "--from", file+".compact", "--to", next, "-o", "json", "--policy", "mozilla/mozilla-old-5.7")
	lines := 0
	for line := range strings.Lines(got.out) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		lines++
		var r struct {
			Replay replayed `json:"replay"`
			Event  struct {
				Source  string `json:"source"`
				Outcome string `json:"outcome"`
			} `json:"event"`
			Leg struct {
				TLS struct {
					Version string `json:"version"`
					Client  struct {
						Shape string `json:"shape"`
					} `json:"client"`
				} `json:"tls"`
			} `json:"client_leg"`
			Policy struct {
				Accepted bool `json:"accepted"`
			} `json:"policy"`
			Verdict string `json:"verdict"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Replay.To != next || r.Replay.SentShape != r.Replay.Shape || r.Leg.TLS.Client.Shape != r.Replay.SentShape || r.Event.Source != "replay" || r.Verdict == "" {
			t.Errorf("%+v", r)
		}
		switch r.Replay.Connections {
		case 3:
			if r.Replay.Outcome != "server_hello" || !r.Replay.Accepted || r.Leg.TLS.Version != "TLSv1.2" || r.Event.Outcome != "success" {
				t.Errorf("the client that goes on: %+v", r)
			}
		default:
			if r.Replay.Outcome != "alert" || r.Replay.Accepted || r.Event.Outcome != "failure" {
				t.Errorf("a client that is lost: %+v", r)
			}
			if r.Policy.Accepted && len(r.Replay.Contradicts) == 0 {
				t.Errorf("a prediction that does not hold is not said: %+v", r)
			}
		}
	}
	if lines != 3 || got.code != 0 {
		t.Errorf("%d records, exit code %d\n%s", lines, got.code, got.out)
	}
}

// Load balancers are clients, too: nginx in front of a server that wants a name fails without proxy_ssl_server_name.
func TestReplayOfLoadBalancersAsClients(t *testing.T) {
	t.Parallel()
	cert, key, _ := files(t)
	server := nginx(t, "server { listen %[1]s ssl default_server; ssl_reject_handshake on; } server { listen %[1]s ssl; server_name "+site+"; ssl_certificate "+cert+"; ssl_certificate_key "+key+"; }")
	got := client(t, "", program, "replay", "--clients", "nginx-proxy_pass,nginx-proxy_pass-sni,haproxy-default,haproxy-sni", "--to", server, "--sni", site)
	for _, want := range []string{"takes 2 hellos of 4", "all send no server name; the alert says so: unrecognized_name; likely HAProxy", "alert unrecognized_name (112)"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s", want, got.out)
		}
	}
}

// A run that ends at its bound says so, and is no answer.
func TestReplayEndsAtItsBound(t *testing.T) {
	t.Parallel()
	cert, key, _ := files(t)
	got := client(t, "", program, "replay", "--clients", "all", "--to", nginxServer(t, cert, key, ""), "--total", "40", "--once")
	if got.code != 3 || !regexp.MustCompile(`the bound on connections is reached; stopped after 40 connections, \d+ hellos were not sent`).MatchString(got.out) {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
}
