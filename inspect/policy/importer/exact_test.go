package importer_test

import (
	"flag"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/exactness.md anew")

// TestPredictionsAreExact starts real endpoints, imports the very configuration of each, sends it the same several hundred
// hellos and holds every answer against what policy.Negotiate makes of the hello. There are no exceptions: what a program does
// in its own way is in the model, and in docs/exactness.md.
func TestPredictionsAreExact(t *testing.T) {
	l := newLab(t)
	endpoints := allEndpoints(t, l)
	if len(endpoints) < 120 {
		t.Errorf("%d endpoint configurations, want at least 120", len(endpoints))
	}
	rows := make([]*tally, len(endpoints))
	t.Run("endpoint", func(t *testing.T) {
		for i, e := range endpoints {
			t.Run(e.system+" "+e.title, func(t *testing.T) {
				t.Parallel()
				rows[i] = e.try(t, l)
				report(t, rows[i])
			})
		}
	})
	publish(t, endpoints, rows)
}

// report fails the test for every wrong prediction, and prints the first of them.
func report(t *testing.T, r *tally) {
	t.Helper()
	const shown = 6
	if len(r.wrong) > 0 {
		t.Errorf("%d of %d predictions are wrong:\n%s", len(r.wrong), r.sent, strings.Join(r.wrong[:min(shown, len(r.wrong))], "\n"))
	}
	if r.sent < 100 {
		t.Errorf("%d hellos sent, want at least 100", r.sent)
	}
}

// allEndpoints are the configurations of all systems.
func allEndpoints(t *testing.T, l *lab) []*endpoint {
	var all []*endpoint
	all = append(all, nginxEndpoints(t)...)
	all = append(all, haproxyEndpoints(t)...)
	all = append(all, httpdEndpoints(t)...)
	all = append(all, opensslEndpoints(t)...)
	all = append(all, goEndpoints()...)
	all = append(all, caddyEndpoints(t)...)
	all = append(all, javaEndpoints(t, l)...)
	return append(all, gnutlsEndpoints(t)...)
}
