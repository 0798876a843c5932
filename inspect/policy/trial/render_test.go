package trial

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// sample is a recording of some clients.
func sample() counts {
	return counts{
		"chromium-156.0.8078.79-default": 5210, "curl-7.88.1-default": 1730, "go-1.26.8-http": 880, "java-17.0.15-httpclient": 412, "node-20.20.2-fetch": 96,
		"openssl-3.0.22-s_client-tls12": 31, "openssl-3.0.22-s_client-rsa-kex": 4, "openssl-3.0.22-s_client-tls10": 7, "java-17.0.15-sslv2hello": 1,
	}
}

func TestGolden(t *testing.T) {
	tally := sample().tally(t)
	from, to := lookup(t, "aws/ELBSecurityPolicy-2016-08"), lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	threshold, err := ParseThreshold("0.5%")
	if err != nil {
		t.Fatal(err)
	}
	for name, result := range map[string]interface{ Text() string }{
		"check": Check(tally, On(to)), "diff": DiffClients(On(from), On(to), tally), "recommend": recommend(t, all, tally, Options{MaxLoss: threshold, Systems: Systems()}),
		"tailored": recommend(t, nil, tally, Options{Systems: []System{SystemNginx}}),
	} {
		hold(t, name+".txt", result.Text())
		hold(t, name+".md", result.(interface{ Markdown() string }).Markdown())
	}
}

// TestStrangersCannotWriteOnTheTicket puts hostile server names, protocols and addresses into a recording.
func TestStrangersCannotWriteOnTheTicket(t *testing.T) {
	_, lines := captured(t)
	hostile := []string{
		"a|b|c|d|e|f|g|h", "`@all` #1 <b>x|", "\x1b[2J\x1b[31mred!!", "\r\n# Heading\r\n\xff", "www.evil.ex/`|\u202e",
	}
	var text bytes.Buffer
	for _, name := range hostile {
		name = (name + strings.Repeat("x", 15))[:15]
		text.WriteString(withName(t, lines["curl-7.88.1-default"], "backend.example", name) + "\n")
	}
	var tally recording.Tally
	if err := tally.Read(&text, ""); err != nil || tally.Connections != int64(len(hostile)) {
		t.Fatal(tally.Connections, err)
	}
	p := &policy.Policy{Name: "x`|\x1b[31m\n# y", Versions: lookup(t, "aws/ELBSecurityPolicy-2016-08").Versions, ALPN: []string{"`|\n"}}
	for _, result := range []interface {
		Text() string
		Markdown() string
	}{Check(&tally, On(p)), DiffClients(On(p), On(lookup(t, "aws/ELBSecurityPolicy-2016-08")), &tally), recommend(t, []*policy.Policy{p}, &tally, Options{Systems: Systems()})} {
		for form, out := range map[string]string{"text": result.Text(), "markdown": result.Markdown()} {
			for _, r := range out {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%s: %U comes through: %q", form, r, out)
				}
			}
		}
		for _, line := range strings.Split(result.Markdown(), "\n") {
			if strings.Count(line, "`")%2 != 0 {
				t.Errorf("a code span is left open: %q", line)
			}
			outside := ""
			for i, piece := range strings.Split(line, "`") {
				if i%2 == 0 {
					outside += piece
				}
			}
			if strings.ContainsAny(outside, "@<\\") || strings.Contains(outside, "evil") {
				t.Errorf("a stranger's text stands outside of code: %q", line)
			}
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add("a|b`c")
	f.Add("\x1b[31m\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if !unicode.IsPrint(r) {
				t.Errorf("%U comes through", r)
			}
		}
		if span := codeSpan(s); strings.Count(span, "`")%2 != 0 || strings.Contains(span, "|") {
			t.Errorf("%q as a code span: %s", s, span)
		}
	})
}

// BenchmarkCheck is a policy tried on what a recording of 2,000 kinds of clients comes down to.
func BenchmarkCheck(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	_, lines := captured(b)
	line := lines["chromium-156.0.8078.79-default"]
	raw, err := hex.DecodeString(line)
	if err != nil {
		b.Fatal(err)
	}
	at := bytes.Index(raw, []byte{0x13, 0x01, 0x13, 0x02, 0x13, 0x03})
	if at < 0 {
		b.Fatal("no TLS 1.3 suites in the hello")
	}
	var tally recording.Tally
	for tally.Len() < 2000 {
		suites := raw[at+6 : at+6+24]
		r.Shuffle(12, func(i, j int) {
			suites[2*i], suites[2*i+1], suites[2*j], suites[2*j+1] = suites[2*j], suites[2*j+1], suites[2*i], suites[2*i+1]
		})
		if err := tally.Read(strings.NewReader(hex.EncodeToString(raw)), ""); err != nil {
			b.Fatal(err)
		}
	}
	p := lookup(b, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06")
	b.ReportAllocs()
	for b.Loop() {
		Check(&tally, On(p))
	}
}

// FuzzParseThreshold: what is accepted is written back and means the same.
func FuzzParseThreshold(f *testing.F) {
	for _, s := range []string{"0", "12", "0.1%", "100%", "0.000001%", "0.0000001%", "", "%", "1.5", " 3 % ", "999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseThreshold(s)
		if err != nil {
			return
		}
		b, err := ParseThreshold(a.String())
		if err != nil || a != b {
			t.Errorf("%q is %v, written %q, read again %v: %v", s, a, a, b, err)
		}
		if a.Exceeded(0, 100) {
			t.Errorf("%q is exceeded by nothing", s)
		}
	})
}
