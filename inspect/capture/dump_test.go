package capture_test

import (
	"fmt"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"os"
	"path/filepath"
	"testing"
)

func TestDump(t *testing.T) {
	type fail struct {
		Repo, File, Stream, Client, Server, Kind string
		Handshake_done                           bool
		Close                                    []string
		Tls13_client_lone_short_record           bool
		One_way                                  bool
		Lost_segments                            int
		Sequence                                 []string
	}
	fails := map[string]*fail{}
	eachLine(t, "failures.jsonl", func(f *fail) { fails[f.Repo+"/"+f.File+" "+f.Client+" "+f.Server] = f })
	used := map[string]bool{}
	root := shared(t, "captures", "files")
	filepath.Walk(root, func(p string, i os.FileInfo, err error) error {
		if i.IsDir() {
			return nil
		}
		rel, _ := filepath.Rel(root, p)
		rs, _ := readCapture(t, p, capture.Options{})
		for _, r := range rs {
			c, s := ends(r)
			f := fails[rel+" "+c+" "+s]
			used[rel+" "+c+" "+s] = true
			e := "-"
			if r.ClientLeg.Error != nil {
				e = fmt.Sprint(r.ClientLeg.Error.Type, " ", r.ClientLeg.Error.Message)
			}
			h := ""
			est := false
			if r.ClientLeg.TLS != nil {
				est = r.ClientLeg.TLS.Established
				h = r.ClientLeg.TLS.Handshake.History
			}
			if f == nil && est && r.ClientLeg.Error == nil {
				continue
			}
			k := "NOT-IN-FAILURES"
			if f != nil {
				k = fmt.Sprint(f.Kind, f.Close, " ow=", f.One_way, " lost=", f.Lost_segments, " short=", f.Tls13_client_lone_short_record)
			}
			fmt.Println(r.Transport, filepath.Base(rel), c, s, "est", est, r.Event.Outcome, "err:", e, "|", h, "| end", r.Capture.End, "ow", r.Capture.OneWay, "mid", r.Capture.Midstream, "stuck", r.Capture.Stuck != nil, "inf", r.Capture.Inferred, "| TRUTH", k)
		}
		return nil
	})
	for k := range fails {
		if !used[k] {
			fmt.Println("UNUSED", k, fails[k].Kind)
		}
	}
}
