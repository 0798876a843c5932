package trial

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// TestACompactedRecordingIsTriedLikeTheWhole holds what is said of a recording against what is said of it compacted: of a policy, of one
// with names, and of a listener; in sum and entry by entry.
func TestACompactedRecordingIsTriedLikeTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	named := *lookup(t, "mozilla/intermediate-5.7")
	named.Names = []string{"backend.examplf", "backend.examplg"}
	for range 10 {
		text := renamed(t, r)
		var whole recording.Collection
		if err := whole.Read(bytes.NewReader(text), ""); err != nil {
			t.Fatal(err)
		}
		var once bytes.Buffer
		w := recording.NewWriter(&once)
		for _, kind := range whole.Kinds() {
			if err := w.Write(kind.Record()); err != nil {
				t.Fatal(err)
			}
		}
		var compacted recording.Tally
		if err := compacted.Read(bytes.NewReader(once.Bytes()), ""); err != nil {
			t.Fatal(err)
		}
		for _, g := range []*Target{On(lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06")), On(&named), listener(t)} {
			want := Check(&whole.Tally, g)
			if got := Check(&compacted, g); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, compacted:\n%+v\nwant\n%+v", g.Name, got, want)
			}
			var connections, lost int64
			for c, err := range recording.Each(bytes.NewReader(once.Bytes()), "") {
				if err != nil {
					t.Fatal(err)
				}
				judgements, unjudged := Judgements(c, g)
				if unjudged != 0 {
					t.Errorf("%s: %d not judged", g.Name, unjudged)
				}
				for _, j := range judgements {
					connections += j.Count()
					if !j.Policy.Accepted {
						lost += j.Count()
					}
				}
			}
			if connections != want.Connections || lost != want.Lost.Connections {
				t.Errorf("%s: entry by entry %d of %d are lost, want %d of %d", g.Name, lost, connections, want.Lost.Connections, want.Connections)
			}
		}
	}
}

// TestNamesThatWereNotKept: where the answer depends on them nothing is said, and elsewhere the answer is that to all of the kind.
func TestNamesThatWereNotKept(t *testing.T) {
	_, lines := captured(t)
	for c, err := range recording.Each(bytes.NewReader([]byte(lines["curl-7.88.1-default"]+"\n")), "") {
		if err != nil {
			t.Fatal(err)
		}
		c.Compacted = &recording.Compacted{Connections: 9, Names: []recording.Named{{Name: "backend.examplf", Connections: 2}}, OtherNames: 7}
		all, unjudged := Judgements(c, listener(t))
		if len(all) != 1 || all[0].Block != "old" || all[0].Count() != 2 || unjudged != 7 {
			t.Errorf("a listener: %+v, %d not judged", all, unjudged)
		}
		all, unjudged = Judgements(c, On(lookup(t, "mozilla/intermediate-5.7")))
		if len(all) != 2 || all[0].ServerName != "backend.examplf" || all[1].ServerName != "" || all[1].Count() != 7 || unjudged != 0 {
			t.Errorf("a policy: %+v, %d not judged", all, unjudged)
		}
		if all, _ = Judgements(c, On(&policy.Policy{Names: []string{}})); all[0].Policy.Accepted {
			t.Errorf("nobody is served: %+v", all)
		}
	}
}
