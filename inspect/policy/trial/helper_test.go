package trial

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

var update = flag.Bool("update", false, "write the golden files anew")

// captured are the hellos of testdata, as lines of hexadecimal by the name of their client.
func captured(t testing.TB) (names []string, lines map[string]string) {
	t.Helper()
	data, err := os.ReadFile("testdata/hellos.hex")
	if err != nil {
		t.Fatal(err)
	}
	lines = make(map[string]string)
	name := ""
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			name = rest
		} else if line != "" {
			names = append(names, name)
			lines[name] = line
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d hellos in testdata", len(names))
	}
	return names, lines
}

// counts is a recording: how often each client comes.
type counts map[string]int

// text is the recording as lines of hexadecimal, in an order that depends on r alone.
func (c counts) text(t testing.TB, r *rand.Rand) []byte {
	t.Helper()
	names, lines := captured(t)
	var all []string
	for _, n := range names {
		for range c[n] {
			all = append(all, lines[n])
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return []byte(strings.Join(all, "\n") + "\n")
}

func (c counts) tally(t testing.TB) *recording.Tally {
	t.Helper()
	tally := new(recording.Tally)
	if err := tally.Read(bytes.NewReader(c.text(t, rand.New(rand.NewPCG(1, 1)))), "test"); err != nil {
		t.Fatal(err)
	}
	if len(tally.Problems) > 0 {
		t.Fatal(tally.Problems[0])
	}
	return tally
}

// randomCounts takes some of the clients, some times each.
func randomCounts(t testing.TB, r *rand.Rand) counts {
	names, _ := captured(t)
	c := make(counts)
	for _, n := range names {
		if r.IntN(2) == 0 {
			c[n] = 1 + r.IntN(20)
		}
	}
	return c
}

func lookup(t testing.TB, ref string) *policy.Policy {
	t.Helper()
	p, err := policy.Lookup(ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func recommend(t testing.TB, policies []*policy.Policy, tally *recording.Tally, o Options) *Recommendation {
	t.Helper()
	r, err := Recommend(policies, tally, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fit(t testing.TB, tally *recording.Tally, s System, o Options) Tailored {
	t.Helper()
	r, err := Tailor(tally, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// withName is a captured hello that asks for another server name of the same length.
func withName(t testing.TB, line, old, name string) string {
	t.Helper()
	if len(old) != len(name) || !strings.Contains(line, hex.EncodeToString([]byte(old))) {
		t.Fatalf("no %q in the hello, or %q is of another length", old, name)
	}
	return strings.Replace(line, hex.EncodeToString([]byte(old)), hex.EncodeToString([]byte(name)), 1)
}

// hold compares with a golden file, or writes it.
func hold(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/golden/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (refresh with -update and read it):\n%s", path, got)
	}
}

func ExampleThreshold() {
	t, _ := ParseThreshold("0.1%")
	fmt.Println(t.Exceeded(1000, 1_000_000), t.Exceeded(1001, 1_000_000))
	// Output: false true
}
