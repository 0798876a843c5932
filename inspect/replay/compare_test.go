package replay

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func taken(choice Choice) Answer   { return Answer{Accepted: true, Choice: choice} }
func refused(reason string) Answer { return Answer{Reason: reason} }

func TestClassesOfTwoAnswers(t *testing.T) {
	a := Choice{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Curve: "x25519"}
	b := Choice{Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384", Curve: "x25519", NextProtocol: "h2"}
	for _, test := range []struct {
		name     string
		old, new Answer
		class    Class
		fields   string
	}{
		{"same", taken(a), taken(a), Same, ""},
		{"neither", refused("alert 40"), refused("alert 70"), Same, ""},
		{"another suite", taken(a), taken(b), Different, "cipher"},
		{"what is not visible equals anything", taken(Choice{Version: "TLSv1.3"}), taken(b), Same, ""},
		{"lost", taken(a), refused("alert 40"), Worse, ""},
		{"gained", refused("alert 40"), taken(a), Better, ""},
		{"old undetermined", Answer{Undetermined: "x"}, refused("alert 40"), Undetermined, ""},
		{"new undetermined", taken(a), Answer{Accepted: true, Undetermined: "x"}, Undetermined, ""},
	} {
		class, fields := classOf(test.old, test.new)
		if class != test.class || strings.Join(fields, ",") != test.fields {
			t.Errorf("%s: %s %q, want %s %q", test.name, class, fields, test.class, test.fields)
		}
	}
}

// The sentence names what sets the losers apart, and no more losers than have it.
func TestCommonsOfLosers(t *testing.T) {
	modern := Choice{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Curve: "x25519"}
	middle := Choice{Version: "TLSv1.2", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Curve: "secp256r1", NextProtocol: "h2"}
	for _, test := range []struct {
		name        string
		taken, lost string
		choice      Choice
		want        []string
	}{
		{"versions", "go-default,curl-default", "java7,openssl-1.0.0n", modern, []string{"none offers TLSv1.3; they go up to TLSv1.0"}},
		{"only newer", "go-tls12,curl-tls12", "go-tls13,openssl-s_client-tls13", middle, []string{"all offer only versions above TLSv1.2"}},
		{"SSLv2 format and versions", "go-default", "java6,java7", modern, []string{"all come in the SSLv2 format", "none offers TLSv1.3; they go up to TLSv1.0"}},
		{"names", "curl-default", "openssl-s_client-no-sni,go-no-sni", modern, []string{"all send no server name"}},
		{"groups", "go-default,curl-default", "go-p384,openssl-s_client-p384", modern, []string{"none offers x25519, the group that was chosen with the others"}},
		{"suites", "curl-tls12", "openssl-s_client-rsa-kex", middle, []string{"none offers TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, the suite that was chosen with the others"}},
		{"fallback", "go-tls12", "openssl-s_client-fallback-scsv", Choice{Version: "TLSv1.1"}, []string{"all send TLS_FALLBACK_SCSV"}},
		{"size", "go-tls12", "java-all", Choice{}, nil},
		{"nobody is taken", "", "java6", modern, []string{"no hello is taken, so that nothing can set these apart"}},
		{"the same hello", "curl-default", "curl-default", modern, []string{"nothing in these hellos sets them apart from those that are taken"}},
	} {
		var subjects []*Subject
		var answers []Answer
		if test.taken != "" {
			for _, s := range samples(t, test.taken) {
				subjects, answers = append(subjects, s), append(answers, taken(test.choice))
			}
		}
		for _, s := range samples(t, test.lost) {
			subjects, answers = append(subjects, s), append(answers, refused("alert handshake_failure (40)"))
		}
		_, _, common := Losses(subjects, Side{Answers: answers})
		if test.want == nil {
			if len(common) != 1 {
				t.Errorf("%s: %+v", test.name, common)
			}
			continue
		}
		var got []string
		for _, c := range common {
			got = append(got, c.Sentence)
		}
		if strings.Join(got, "; ") != strings.Join(test.want, "; ") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// A limit of size is named as that, with both sides of it, before whatever else long hellos have in common.
func TestSizeIsNamedBeforeAccidents(t *testing.T) {
	subjects := samples(t, "all")
	const limit = 300
	answers := make([]Answer, len(subjects))
	longest, shortest := 0, 1<<20
	for i, s := range subjects {
		size := s.Hello.Size() + 7 // as it was sent: the name is another one
		choice := Choice{Version: HighestVersion(s.View), Cipher: s.View.CipherSuites.At(0).String()}
		if s.View.ALPN.Len() > 0 {
			choice.NextProtocol = string(s.View.ALPN.First())
		}
		answers[i] = taken(choice)
		if size > limit {
			answers[i] = refused("connection reset")
			shortest = min(shortest, size)
		} else {
			longest = max(longest, size)
		}
		answers[i].Size = size
	}
	want := fmt.Sprintf("all are longer than %d bytes, the longest hello that is taken; the shortest that is lost has %d", longest, shortest)
	_, _, common := Losses(subjects, Side{Answers: answers})
	if len(common) != 1 || common[0].Sentence != want {
		t.Errorf("%+v, want %q", common, want)
	}
	// One that is lost for another reason does not hide it.
	for i, s := range subjects {
		if answers[i].Size < limit && len(s.View.ServerName) == 0 {
			answers[i] = refused("connection reset")
			break
		}
	}
	if _, _, common = Losses(subjects, Side{Answers: answers}); len(common) != 2 || !strings.HasPrefix(common[0].Sentence, "all are longer than") {
		t.Errorf("%+v", common)
	}
}

func TestComparisonInWords(t *testing.T) {
	subjects := samples(t, "curl-default,java7,go-p384,nginx-proxy_pass")
	subjects[0].Connections, subjects[1].Connections, subjects[2].Connections, subjects[3].Connections = 9690, 250, 59, 1
	subjects[1].Client = "Java 7\x1b[31m\u202e"
	choice := Choice{Version: "TLSv1.2", Cipher: "TLS_RSA_WITH_AES_128_CBC_SHA"}
	next := Choice{Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Curve: "x25519"}
	old := Side{Label: "old:443", Answers: []Answer{taken(choice), taken(choice), taken(choice), refused("alert 40")}}
	new := Side{Label: "new:443", Predicted: true, Answers: []Answer{taken(next), refused("alert protocol_version (70)"), taken(choice), taken(next)}}
	c := Compare(subjects, old, new)
	if c.Amounts[Worse] != (Amount{1, 250}) || c.Amounts[Different] != (Amount{1, 9690}) || c.Amounts[Same] != (Amount{1, 59}) || c.Amounts[Better] != (Amount{1, 1}) || c.All != (Amount{4, 10000}) {
		t.Errorf("%+v", c.Amounts)
	}
	text := c.Text()
	for _, want := range []string{
		"1 of 4 hellos, 250 connections (2.5 %), succeed on old:443 and fail on new:443:\n",
		"none offers TLSv1.3 or TLSv1.2; they go up to TLSv1.0; likely Java 7\uFFFD[31m\uFFFD",
		"worse                          250   2.5 %       1  TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA  alert protocol_version (70)",
		"other version, cipher        9,690  96.9 %",
		"new:443 (predicted)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Error("a stranger's name acts on the terminal")
	}
	contradicted := ContradictionsText(subjects, new, Side{Label: "new:443", Answers: []Answer{taken(choice), {Reason: "alert x", Alert: "x"}, refused("alert 40"), taken(next)}})
	for _, want := range []string{"in 2 of 4 hellos", "other version, cipher", "refused"} {
		if !strings.Contains(contradicted, want) {
			t.Errorf("%q is not in\n%s", want, contradicted)
		}
	}
	if text := ContradictionsText(subjects, old, old); text != "" {
		t.Errorf("a side contradicts itself: %s", text)
	}
}

func TestAlertsContradict(t *testing.T) {
	subjects := samples(t, "curl-default")
	side := func(a Answer) Side { return Side{Answers: []Answer{a}} }
	if found := Contradictions(subjects, side(Answer{Alert: "protocol_version"}), side(Answer{Alert: "internal_error"})); len(found) != 1 || found[0].Fields[0] != "alert" {
		t.Errorf("%+v", found)
	}
	if found := Contradictions(subjects, side(Answer{}), side(Answer{Alert: "internal_error"})); len(found) != 0 {
		t.Errorf("where no alert is predicted: %+v", found)
	}
}

// The connections of a kind's names are all counted, and those beyond the bound are said.
func TestSubjectsOfKinds(t *testing.T) {
	chosen := samples(t, "curl-default,java6")
	kind := func(i int, connections int64, names ...recording.Name) recording.Collected {
		return recording.Collected{Shape: recording.Shape{Name: chosen[i].Shape, Hello: chosen[i].View, Connections: connections, Names: names}, Detail: recording.Detail{RecordVersion: wire.VersionTLS12, Records: 3, Transport: "tcp"}}
	}
	dtls := kind(0, 7)
	dtls.Transport = "dtls"
	subjects, left := FromKinds([]recording.Collected{
		kind(0, 100, recording.Name{Name: "a", Connections: 60}, recording.Name{Name: "b", Connections: 30}, recording.Name{Name: "c", Connections: 5}), kind(1, 3, recording.Name{Connections: 3}), dtls,
	}, 2)
	if len(subjects) != 3 || left != 1 {
		t.Fatalf("%d subjects, %d left", len(subjects), left)
	}
	a, b, old := subjects[0], subjects[1], subjects[2]
	if a.Name != "a" || a.Connections != 70 || a.Assumed != 10 || b.Name != "b" || b.Connections != 30 || old.Name != "" || old.Connections != 3 {
		t.Errorf("%+v\n%+v\n%+v", a, b, old)
	}
	flight, err := a.Hello.Flight()
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for sent := flight[0]; len(sent) > 5; records++ {
		if sent[1] != 3 || sent[2] != 3 {
			t.Errorf("record version %x", sent[1:3])
		}
		sent = sent[5+int(sent[3])<<8+int(sent[4]):]
	}
	if records != 3 {
		t.Errorf("%d records, recorded were 3", records)
	}
	if !old.Hello.SSLv2 || old.Client == "" {
		t.Errorf("%+v", old)
	}
}
