package trial

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// TestCheckIsTheSumOfEveryConnection tries every built-in policy, and some with names, on random recordings: once on each shape, and
// once on each connection.
func TestCheckIsTheSumOfEveryConnection(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	_, lines := captured(t)
	names := []string{"backend.example", "BACKEND.Example", "another.example"}
	policies := slices.Collect(policy.All())
	for i := range 5 {
		named := *lookup(t, "mozilla/intermediate-5.7")
		named.Name, named.Names, named.SNIRequired = "named", names[:1+i%3], i%2 == 0
		named.ALPN, named.ALPNRequired = []string{"h2"}, i == 4
		policies = append(policies, &named)
	}
	tried := 0
	for round := range 3 {
		text := randomCounts(t, r).text(t, r)
		for range 30 {
			text = append(text, withName(t, lines["curl-7.88.1-default"], "backend.example", names[r.IntN(3)])+"\n"...)
		}
		var tally recording.Tally
		if err := tally.Read(bytes.NewReader(text), ""); err != nil {
			t.Fatal(err)
		}
		for _, p := range policies {
			if tried++; round > 0 && tried%7 > 0 {
				continue
			}
			report := Check(&tally, On(p))
			var connections, lost, uncertain int64
			reasons := make(map[string]int64)
			negotiated := make(map[Choice]int64)
			for c, err := range recording.Each(bytes.NewReader(text), "") {
				if err != nil {
					t.Fatal(err)
				}
				j := Judge(c, On(p))
				connections++
				if j.Policy.Uncertain != "" {
					uncertain++
				}
				if !j.Policy.Accepted {
					lost++
					reasons[j.Shape+j.Policy.RejectedBy+j.Policy.Alert]++
				} else {
					negotiated[Choice{Version: j.Policy.Version, Cipher: j.Policy.Cipher, Curve: j.Policy.Curve}]++
				}
			}
			if report.Connections != connections || report.Lost.Connections != lost {
				t.Errorf("%s: lost %d of %d, want %d of %d", p.Name, report.Lost.Connections, report.Connections, lost, connections)
			}
			for _, l := range report.Losses {
				reasons[l.Shape+l.RejectedBy+l.Alert] -= l.Connections
			}
			for _, c := range report.Negotiated {
				negotiated[Choice{Version: c.Version, Cipher: c.Cipher, Curve: c.Curve}] -= c.Connections
			}
			for _, d := range report.Uncertain {
				uncertain -= d.Connections
			}
			for key, n := range reasons {
				if n != 0 {
					t.Errorf("%s: loss %s is off by %d", p.Name, key, n)
				}
			}
			for key, n := range negotiated {
				if n != 0 {
					t.Errorf("%s: %+v is off by %d", p.Name, key, n)
				}
			}
			if uncertain != 0 {
				t.Errorf("%s: uncertain ones are off by %d", p.Name, uncertain)
			}
		}
	}
	if tried < 100 {
		t.Fatalf("only %d policies tried", tried)
	}
}

func TestCheckNamesWhatIsLost(t *testing.T) {
	tally := counts{"curl-7.88.1-default": 990, "openssl-3.0.22-s_client-tls10": 7, "java-17.0.15-sslv2hello": 3}.tally(t)
	report := Check(tally, On(lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06")))
	if report.Lost != (Amount{10, 2}) || report.Connections != 1000 || report.Shapes != 3 {
		t.Fatalf("lost %+v of %d in %d shapes", report.Lost, report.Connections, report.Shapes)
	}
	l := report.Losses[0]
	if l.Client != "OpenSSL 3.0" || l.Connections != 7 || l.RejectedBy != "version" || l.Alert != "protocol_version" || !slices.Equal(l.Offered, []string{"TLSv1.0"}) ||
		!slices.Equal(l.Accepts, []string{"TLSv1.3", "TLSv1.2"}) && !slices.Equal(l.Accepts, []string{"TLSv1.2", "TLSv1.3"}) || len(l.ServerNames) != 1 {
		t.Errorf("loss: %+v", l)
	}
	// The fields that programs rely on.
	var object map[string]json.RawMessage
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	if string(object["lost"]) != `{"connections":10,"shapes":2}` || string(object["connections"]) != "1000" || string(object["shapes"]) != "3" || !bytes.HasPrefix(object["losses"], []byte(`[{"shape":"s1_`)) {
		t.Errorf("JSON: %s", text)
	}
}

func TestEmptyTally(t *testing.T) {
	var tally recording.Tally
	p := lookup(t, "aws/ELBSecurityPolicy-2016-08")
	text, err := json.Marshal(Check(&tally, On(p)))
	if err != nil || !strings.Contains(string(text), `"losses":[]`) {
		t.Errorf("%s %v", text, err)
	}
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	r := recommend(t, all, &tally, Options{Systems: Systems()})
	if r.Best == nil || r.Best.Strictness.MinVersion != "TLSv1.3" {
		t.Errorf("without clients the strictest of all is best, got %+v", r.Best)
	}
	if Diff(On(p), On(p)).Text() == "" || recommend(t, nil, &tally, Options{}).Best != nil {
		t.Error("nothing to compare is no reason to fail")
	}
}

func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		text     string
		lost, of int64
		exceeded bool
	}{
		{"0", 0, 10, false}, {"0", 1, 10, true}, {"12", 12, 100, false}, {"12", 13, 100, true}, {"0%", 0, 0, false}, {"0%", 1, 1 << 60, true},
		{"0.1%", 1, 1000, false}, {"0.1%", 2, 1000, true}, {"0.000001%", 1, 100_000_000, false}, {"0.000001%", 1, 99_999_999, true},
		{"100%", 5, 5, false}, {"100 %", 5, 5, false}, {"33.333333%", 1, 3, true}, {"33.333334%", 1, 3, false},
	} {
		threshold, err := ParseThreshold(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if got := threshold.Exceeded(test.lost, test.of); got != test.exceeded {
			t.Errorf("%s exceeded by %d of %d: %v", test.text, test.lost, test.of, got)
		}
		if again, err := ParseThreshold(threshold.String()); err != nil || again != threshold {
			t.Errorf("%s: written as %s, read as %v, %v", test.text, threshold, again, err)
		}
	}
	for _, bad := range []string{"", "%", "-1", "1.5", "1e3", "101%", "0.0000001%", "x%", "1%%", ".5%", "1.%", "+1", "9999999999999"} {
		if threshold, err := ParseThreshold(bad); err == nil {
			t.Errorf("%q was read as %v", bad, threshold)
		}
	}
}
