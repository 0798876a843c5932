package replay

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// While a target is asked whether it is there still, nobody else sends to it; what then becomes of the run depends on its answer.
func TestNothingIsSentWhileTheTargetIsAskedWhetherItIsThere(t *testing.T) {
	const limit, atATime = 4, 8
	for _, there := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			questionShapes := make(map[string]bool) // nothing was answered before, so that it is the plain one
			for _, name := range []string{"", "backend.example"} {
				view, err := probe.Modern(name).View()
				if err != nil {
					t.Fatal(err)
				}
				questionShapes[fingerprint.Shape(view)] = true
			}
			var made, questions atomic.Int32
			release := make(chan struct{})
			dial := func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				made.Add(1)
				go func() {
					defer theirs.Close()
					h, err := hello(theirs)
					if err != nil || !questionShapes[fingerprint.Shape(h)] {
						return // closed without a word
					}
					questions.Add(1)
					<-release
					if there {
						alert(theirs, 40)
					}
				}()
				return ours, nil
			}
			subjects := samples(t, "all")
			for _, s := range subjects {
				if questionShapes[s.Shape] {
					t.Fatalf("%s is like the question", s.Sample)
				}
			}
			r := Runner{
				Client: &probe.Client{Dial: dial}, Targets: []Target{{Label: "target", Target: probe.Target{Address: "target:443"}}},
				Rate: -1, Concurrency: atATime, Silent: limit,
			}
			type outcome struct {
				report *Report
				err    error
			}
			done := make(chan outcome, 1)
			go func() { report, err := r.Run(t.Context(), subjects); done <- outcome{report, err} }()
			synctest.Wait() // until everybody waits: the question for its answer, the others for the question
			if n := made.Load(); questions.Load() != 1 || n > limit+atATime {
				t.Errorf("%d connections, %d questions, before the first one was answered", n, questions.Load())
			}
			close(release)
			end := <-done
			var stopped *StoppedError
			if errors.As(end.err, &stopped) == there || !there && (!strings.Contains(stopped.Reason, "it answers nobody") || end.report.Connections > limit+atATime) {
				t.Errorf("there %v: %v, %d connections", there, end.err, end.report.Connections)
			}
			if sent := 2 * len(subjects); there && end.report.Connections < sent {
				t.Errorf("%d connections, %d hellos were to be sent", end.report.Connections, sent)
			}
		})
	}
}
