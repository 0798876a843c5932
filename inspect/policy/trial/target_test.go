package trial

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// listener has three blocks: two with names, and one that answers all else.
func listener(t testing.TB) *Target {
	t.Helper()
	strict, old, strange := *lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"), *lookup(t, "aws/ELBSecurityPolicy-2016-08"), *lookup(t, "aws/ELBSecurityPolicy-TLS13-1-3-2021-06")
	old.Names, strange.Names = []string{"backend.examplf"}, []string{"backend.examplg", "backend.examplh"}
	return &Target{
		Name: "lb", Blocks: []Block{{"default", &strict}, {"old", &old}, {"new", &strange}},
		Choose: func(name string) int {
			switch name {
			case "backend.examplf":
				return 1
			case "backend.examplg":
				return 2
			case "backend.examplh":
				return 7 // nobody: the first block says so
			}
			return 0
		},
	}
}

// renamed is a random recording whose clients ask for several names.
func renamed(t testing.TB, r *rand.Rand) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(randomCounts(t, r).text(t, r))), "\n")
	for i, line := range lines {
		if name := "backend.exampl" + string("efghi"[r.IntN(5)]); strings.Contains(line, "6261636b656e642e6578616d706c65") {
			lines[i] = withName(t, line, "backend.example", name)
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// TestAListenerIsTriedAsItRoutes holds the summary against every single client, and each of these against the block that its name leads to.
func TestAListenerIsTriedAsItRoutes(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	seen := map[string]int64{}
	for range 30 {
		text := renamed(t, r)
		var tally recording.Tally
		if err := tally.Read(bytes.NewReader(text), ""); err != nil {
			t.Fatal(err)
		}
		g := listener(t)
		report := Check(&tally, g)
		var lost, all int64
		blocks, lostBy := map[string]int64{}, map[string]int64{}
		for c, err := range recording.Each(bytes.NewReader(text), "") {
			if err != nil {
				t.Fatal(err)
			}
			j := Judge(c, g)
			name, want := string(c.Hello.ServerName), "default"
			switch name {
			case "backend.examplf":
				want = "old"
			case "backend.examplg":
				want = "new"
			}
			if j.Block != want {
				t.Fatalf("%q is answered by %q", name, j.Block)
			}
			for _, b := range g.Blocks {
				if b.Name == want && policy.Negotiate(c.Hello, b.Policy).Accepted != j.Policy.Accepted {
					t.Fatalf("%q: %+v is not what %s says", name, j.Policy, want)
				}
			}
			all++
			blocks[want]++
			if !j.Policy.Accepted {
				lost++
				lostBy[want]++
			}
		}
		if report.Lost.Connections != lost || report.Connections != all || len(report.Blocks) != 3 {
			t.Fatalf("summary %+v of %d, one by one %d of %d", report.Lost, report.Connections, lost, all)
		}
		for _, b := range report.Blocks {
			if b.Connections != blocks[b.Name] || b.Lost.Connections != lostBy[b.Name] {
				t.Errorf("block %s: %d of %d lost, one by one %d of %d", b.Name, b.Lost.Connections, b.Connections, lostBy[b.Name], blocks[b.Name])
			}
			var sum int64
			for _, c := range b.Negotiated {
				sum += c.Connections
			}
			if sum+b.Lost.Connections != b.Connections {
				t.Errorf("block %s: %d negotiated and %d lost of %d", b.Name, sum, b.Lost.Connections, b.Connections)
			}
			seen[b.Name] += b.Lost.Connections
		}
		of := map[string]int64{}
		for _, l := range report.Losses {
			of[l.Block] += l.Connections
		}
		for name, n := range lostBy {
			if of[name] != n {
				t.Errorf("losses of %s sum up to %d, want %d", name, of[name], n)
			}
		}
		same := DiffClients(g, listener(t), &tally).Clients
		if same.Lost.Connections+same.Gained.Connections+same.Changed.Connections != 0 || same.Refused.Connections != lost {
			t.Errorf("a listener differs from itself: %+v", same)
		}
		one := DiffClients(g, On(g.Blocks[0].Policy), &tally).Clients
		alone := Check(&tally, On(g.Blocks[0].Policy))
		if one.Lost.Connections-one.Gained.Connections != alone.Lost.Connections-lost {
			t.Errorf("from the listener to its first block: %+v, %d and %d are lost", one, lost, alone.Lost.Connections)
		}
	}
	if seen["default"] == 0 || seen["old"] == 0 || seen["new"] == 0 {
		t.Errorf("the recordings decide nothing: %v", seen)
	}
}

// TestALoneBlockSaysWhoNeverGetsToIt counts the clients that its listener would lead elsewhere.
func TestALoneBlockSaysWhoNeverGetsToIt(t *testing.T) {
	_, lines := captured(t)
	line := lines["curl-7.88.1-default"]
	text := strings.Join([]string{line, line, withName(t, line, "backend.example", "backend.examplf")}, "\n")
	var tally recording.Tally
	if err := tally.Read(strings.NewReader(text), ""); err != nil {
		t.Fatal(err)
	}
	g := On(lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"))
	g.Answers = func(name string) bool { return name == "backend.examplf" }
	r := Check(&tally, g)
	if r.Elsewhere != 2 || r.Connections != 3 || !strings.Contains(r.Text(), "2 of these connections would never get here") {
		t.Errorf("%d elsewhere: %s", r.Elsewhere, r.Text())
	}
}

// TestListenersAreComparedBlockByBlock pairs blocks by name.
func TestListenersAreComparedBlockByBlock(t *testing.T) {
	a, b := listener(t), listener(t)
	if d := Diff(a, b); len(d.Changes) != 0 {
		t.Errorf("a listener differs from itself: %+v", d.Changes)
	}
	b.Blocks[2].Name = "newer"
	b.Blocks[1].Policy = a.Blocks[0].Policy
	d := Diff(a, b)
	if d.Changes[0].What != WhatBlocks || len(d.Changes[0].Removed) != 1 || d.Changes[0].Removed[0] != "new" || d.Changes[0].Added[0] != "newer" {
		t.Errorf("%+v", d.Changes[0])
	}
	for _, c := range d.Changes[1:] {
		if c.Block != "old" {
			t.Errorf("change of block %q: %+v", c.Block, c)
		}
	}
	if len(d.Changes) < 3 || !strings.Contains(d.Text(), "versions of old") {
		t.Error(d.Text())
	}
	lone := Diff(On(a.Blocks[0].Policy), b)
	for _, c := range lone.Changes {
		if c.What == WhatBlocks || c.Block != "newer" {
			t.Errorf("the first policy against each block: %+v", c)
		}
	}
}

// TestAJudgementIsALine has every kind of answer in it.
func TestAJudgementIsALine(t *testing.T) {
	_, lines := captured(t)
	text := lines["curl-7.88.1-default"] + "\n" + lines["openssl-3.0.22-s_client-tls10"] + "\n"
	want := []string{"accepted: TLSv1.3 TLS_AES_128_GCM_SHA256", "LOST: version, alert protocol_version; offers TLSv1.0"}
	i := 0
	g := listener(t)
	for c, err := range recording.Each(strings.NewReader(text), "") {
		if err != nil {
			t.Fatal(err)
		}
		j := Judge(c, g)
		line := j.Text()
		if !strings.Contains(line, want[i]) || !strings.Contains(line, "for backend.example at default") || strings.Contains(line, "\n") {
			t.Errorf("%q, want %q in it", line, want[i])
		}
		i++
	}
}
