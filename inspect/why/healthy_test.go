package why_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// gallery are recorded hellos of many clients; nil where the collection is not there.
func gallery(t *testing.T) map[string]*probe.Hello {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "shared", "facts", "clienthellos.json"))
		if err != nil {
			continue
		}
		var entries []struct {
			ID  string `json:"id"`
			Hex string `json:"record_hex"`
		}
		if err := json.Unmarshal(b, &entries); err != nil {
			t.Fatal(err)
		}
		hellos := map[string]*probe.Hello{}
		for _, e := range entries {
			raw, err := hex.DecodeString(e.Hex)
			if err != nil {
				t.Fatal(err)
			}
			if hellos[e.ID], err = probe.Parse(raw); err != nil {
				t.Fatal(err)
			}
		}
		return hellos
	}
	t.Skip("no ../shared/facts/clienthellos.json beside the module")
	return nil
}

func TestHealthyEndpointsHaveNoCause(t *testing.T) {
	t.Parallel()
	hellos := gallery(t)
	for name, start := range map[string]func(*testing.T) string{
		"Go":      withRSA(t, nil),
		"nginx":   func(t *testing.T) string { return nginx(t, identityOf(t, "rsa"), "", "ssl_protocols TLSv1.2 TLSv1.3;") },
		"haproxy": func(t *testing.T) string { return haproxy(t, identityOf(t, "rsa"), "", "") },
		"openssl": func(t *testing.T) string { return openssl(t, identityOf(t, "rsa")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := start(t)
			for _, id := range []string{
				"chromium-156.0.8078.79-default", "openssl-3.0.22-s_client-default", "openssl-3.0.22-s_client-resume-tls13", "go-1.26.8-http", "java-17.0.15-httpclient",
				"curl-7.88.1-default", "gnutls-3.7.9-cli-default", "nginx-1.22.1-proxy_pass",
			} {
				hello, ok := hellos[id]
				if !ok {
					t.Fatalf("no hello %s", id)
				}
				r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello}).Run(t.Context())
				if r.Verdict != why.NoFailure || len(r.Causes) != 0 || r.Cause != "" {
					text, _ := json.MarshalIndent(r, "", " ")
					t.Errorf("%s: %s", id, text)
				}
			}
			r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: probe.Modern("")}).Run(t.Context())
			if r.Verdict != why.NoFailure || r.Connections > 6 {
				t.Errorf("%s with %d connections: %s", r.Verdict, r.Connections, r.Sentence)
			}
		})
	}
}

// Whatever recorded client is refused by a healthy endpoint, the cause is a property that the two really do not share.
func TestRecordedClientsAgainstAModernEndpoint(t *testing.T) {
	t.Parallel()
	hellos := gallery(t)
	address := goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })(t)
	explained := 0
	for id, hello := range hellos {
		versions := hello.Versions()
		offers := false
		for _, v := range versions {
			offers = offers || v == wire.VersionTLS13
		}
		if offers || hello.SSLv2 {
			continue
		}
		explained++
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello, Names: []string{serverName}}).Run(t.Context())
		others := slices.DeleteFunc(slices.Clone(r.Causes), func(c why.Cause) bool {
			return c.Axis == why.AxisVersion || c.Axis == why.AxisSignature // SHA-1 alone: TLS 1.3 would not help such a client
		})
		if r.Cause != why.NoCommonVersion || len(others) > 0 {
			text, _ := json.MarshalIndent(r, "", " ")
			t.Errorf("%s: %s", id, text)
		}
	}
	if explained == 0 {
		t.Fatal("no recorded client is without TLS 1.3")
	}
	for id, hello := range hellos { // those in other formats, whatever their cause is
		if r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello}).Run(t.Context()); hello.SSLv2 && (r.Verdict == why.NoFailure || r.Connections > why.DefaultBudget) {
			t.Errorf("%s: %s after %d connections", id, r.Verdict, r.Connections)
		}
	}
}

func TestTheBudgetHolds(t *testing.T) {
	t.Parallel()
	address := goServer(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} })(t)
	hello := modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) })
	for budget := 1; budget < 24; budget++ {
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello, Budget: budget}).Run(t.Context())
		if r.Connections > budget {
			t.Errorf("%d connections, %d are allowed", r.Connections, budget)
		}
		for _, c := range r.Causes {
			if c.Axis != why.AxisGroup {
				t.Errorf("with %d connections: %+v", budget, c)
			}
		}
		if len(r.Causes) == 0 && r.Verdict != why.Undetermined {
			t.Errorf("with %d connections: %s without a cause", budget, r.Verdict)
		}
	}
}

func TestCancellingEndsTheExperiment(t *testing.T) {
	address := goFront(nil, func(*seen) reaction { return silence })(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: probe.Modern(""), Client: &probe.Client{Timeouts: probe.Timeouts{Answer: time.Minute}}}).Run(ctx)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if r.Verdict != why.Undetermined || len(r.Causes) != 0 {
		t.Errorf("%s: %+v", r.Verdict, r.Causes)
	}
}

func TestEveryFieldOfTheContractIsThere(t *testing.T) {
	address := goServer(nil)(t)
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: probe.Modern("")}).Run(t.Context())
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"target", "verdict", "cause", "causes", "connections", "probes"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s in %s", name, b)
		}
	}
	if causes, ok := fields["causes"].([]any); !ok || len(causes) != 0 {
		t.Errorf("causes: %v", fields["causes"])
	}
}

// What refuses everything, and does not say why, is not explained; what was tried is said.
func TestWhatCannotBeToldIsUndetermined(t *testing.T) {
	address := goFront(nil, func(*seen) reaction { return alert(wire.AlertInternalError) })(t)
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: probe.Modern(serverName)}).Run(t.Context())
	if r.Verdict != why.Undetermined || len(r.Causes) != 0 || r.Cause != "" || len(r.Tried) < 10 || r.Meaning == "" || r.Failure == "" {
		t.Errorf("%s, %v, tried %q, meaning %q", r.Verdict, r.Causes, r.Tried, r.Meaning)
	}
}

// An endpoint that answers late is slow, not silent, and no cause is made up for it.
func TestSlowEndpointsAreNotSilent(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}}
	address := servertest.Serve(t, func(n int, conn net.Conn) {
		if n == 0 {
			servertest.React(conn, silence) // longer than is waited, however long that is
			return
		}
		<-time.After(1200 * time.Millisecond)
		servertest.Echo(conn, config)
	})
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}} // three times as long is waited once
	r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: probe.Modern(serverName)}).Run(t.Context())
	if r.Verdict != why.NoFailure || len(r.Causes) != 0 || len(r.Notes) == 0 {
		t.Errorf("%s, %v, %v", r.Verdict, r.Causes, r.Notes)
	}
}

// A bound on connections leaves things undetermined; it does not make a cause of what was not checked.
func TestFewConnectionsLeaveThingsUndetermined(t *testing.T) {
	t.Parallel()
	healthy := goServer(nil)(t)
	if r := (&why.Experiment{Target: probe.Target{Address: healthy}, Hello: probe.Modern(serverName), Budget: 1}).Run(t.Context()); r.Verdict != why.NoFailure {
		t.Errorf("a healthy endpoint, asked once: %s, %s", r.Verdict, r.Sentence)
	}
	small := goFront(nil, func(s *seen) reaction {
		if s.Message.Length > 595 {
			return reset
		}
		return pass
	})(t)
	for budget := 4; budget <= 40; budget += 3 {
		r := (&why.Experiment{Target: probe.Target{Address: small}, Hello: postQuantum(), Budget: budget}).Run(t.Context())
		if r.Connections > budget {
			t.Errorf("%d connections of %d", r.Connections, budget)
		}
		if r.Verdict == why.NoFailure || r.Verdict == why.Explained && (len(r.Causes) != 1 || r.Cause != why.HelloTooLarge) {
			t.Errorf("%d connections: %s, %v", budget, r.Verdict, r.Causes)
		}
	}
}

// A hello that was rebuilt from a record has the size that its client's had.
func TestSizesOfRebuiltHellos(t *testing.T) {
	view, err := postQuantum().View()
	if err != nil {
		t.Fatal(err)
	}
	view.Raw = nil
	view.KeyShares = wire.KeyShares{0x11, 0xEC, 0, 0, 0, 29, 0, 0} // as in a record: groups without keys
	rebuilt := probe.FromClientHello(view)
	if size := rebuilt.Size(); size < 1216 {
		t.Errorf("%d bytes, of which 1216 are X25519MLKEM768", size)
	}
}

// An endpoint that lets one hello pass unanswered and answers the next at once is not slow.
func TestOneSilenceIsNotSlowness(t *testing.T) {
	t.Parallel()
	address := goFront(nil, func(s *seen) reaction {
		if s.Number == 0 {
			return silence
		}
		return pass
	})(t)
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: 5 * time.Second}} // "at once" takes its time on a busy machine
	r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: probe.Modern(serverName)}).Run(t.Context())
	if r.Cause != why.Flapping || len(r.Notes) != 0 {
		t.Errorf("%s, %v, %v", r.Verdict, r.Causes, r.Notes)
	}
}

// What refuses a hello in one record, and lets the same one pass in two, is not the TLS server: that is said.
func TestFiltersOfOneRecordAreNoted(t *testing.T) {
	for _, reads := range []int{1, 9} { // records
		address := goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length > 700 && s.Message.Records <= reads }))(t)
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: postQuantum()}).Run(t.Context())
		if r.Cause != why.HelloTooLarge || r.Causes[0].Limit != 700 || (len(r.Notes) == 1) != (reads == 1) {
			t.Errorf("%d: %s, %v", reads, r.Sentence, r.Notes)
		}
	}
}
