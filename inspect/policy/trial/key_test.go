package trial

import (
	"bytes"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestNegotiateReadsWhatATallyTellsApart looks into the source of Negotiate for the fields of a hello that it reads: those that a
// tally compares before it counts two hellos as one, and no others. One evaluation a shape is exact only as long as that holds.
func TestNegotiateReadsWhatATallyTellsApart(t *testing.T) {
	compared := []string{
		"SSLv2", "LegacyVersion", "ServerName", "SSLv2CipherKinds", "CompressionMethods", "PointFormats", "CipherSuites", "SupportedVersions",
		"SupportedGroups", "SignatureSchemes", "SignatureSchemesCert", "ALPN", "KeyShares", "Extensions",
	}
	paths, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	files := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_generated.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selected, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			hello := false
			switch x := selected.X.(type) {
			case *ast.Ident:
				hello = x.Name == "h"
			case *ast.SelectorExpr:
				hello = x.Sel.Name == "h"
			}
			if hello && !slices.Contains(read, selected.Sel.Name) {
				read = append(read, selected.Sel.Name)
			}
			return true
		})
	}
	if len(read) < 8 {
		t.Fatalf("Negotiate reads %v: it is not found any more", read)
	}
	for _, field := range read {
		if !slices.Contains(compared, field) {
			t.Errorf("Negotiate reads %s of a hello, by which no tally tells hellos apart", field)
		}
	}
}

// TestHellosOfOneShapeAreAnsweredAlike changes in captured hellos what a shape leaves out, and has every built-in policy answer.
func TestHellosOfOneShapeAreAnsweredAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	names, lines := captured(t)
	policies := slices.Collect(policy.All())
	for _, name := range names {
		var h wire.ClientHello
		for c, err := range recording.Each(strings.NewReader(lines[name]), name) {
			if err != nil {
				t.Fatal(err)
			}
			raw := bytes.Clone(c.Hello.Raw)
			if c.Hello.SSLv2 {
				continue
			}
			if err := wire.ParseClientHello(raw, &h); err != nil {
				t.Fatal(err)
			}
		}
		if h.Raw == nil {
			continue
		}
		for range 5 {
			varied := h
			varied.Extensions = shuffled(h.Extensions, r)
			varied.CipherSuites = regreased(h.CipherSuites, r)
			varied.SupportedGroups = regreased(h.SupportedGroups, r)
			varied.SupportedVersions = regreased(h.SupportedVersions, r)
			varied.Random, varied.SessionID = []byte{1}, nil
			if fingerprint.Shape(&varied) != fingerprint.Shape(&h) {
				t.Fatalf("%s: the shape has changed", name)
			}
			for _, p := range policies {
				if a, b := policy.Negotiate(&h, p), policy.Negotiate(&varied, p); a != b {
					t.Errorf("%s: %s answers %+v, and to the same shape %+v", name, p.Name, a, b)
				}
			}
		}
	}
}

func shuffled(e wire.Extensions, r *rand.Rand) wire.Extensions {
	var all []wire.Extensions
	for kind, body := range e.All() {
		all = append(all, append(wire.Extensions{byte(kind >> 8), byte(kind), byte(len(body) >> 8), byte(len(body))}, body...))
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return slices.Concat(all...)
}

func regreased[T ~uint16](l wire.List[T], r *rand.Rand) wire.List[T] {
	out := slices.Clone(l)
	for i := range l.Len() {
		if wire.IsGREASE(l.At(i)) {
			b := byte(r.IntN(16)<<4 | 0x0a)
			out[2*i], out[2*i+1] = b, b
		}
	}
	return out
}

// TestOneEvaluationAName tries a policy with names on hellos that differ in nothing else.
func TestOneEvaluationAName(t *testing.T) {
	_, lines := captured(t)
	line := lines["curl-7.88.1-default"]
	raw, err := hex.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for i, name := range []string{"backend.example", "BACKEND.EXAMPLE", "another.example", "third.elsewhere"} {
		for range 1 + 10*i {
			text.WriteString(withName(t, hex.EncodeToString(raw), "backend.example", name) + "\n")
		}
	}
	var tally recording.Tally
	if err := tally.Read(&text, ""); err != nil {
		t.Fatal(err)
	}
	p := lookup(t, "mozilla/intermediate-5.7")
	p.Names = []string{"backend.example", "*.elsewhere"}
	report := Check(&tally, On(p))
	if report.Lost != (Amount{21, 1}) || report.Connections != 1+11+21+31 || len(report.Losses) != 1 || report.Losses[0].RejectedBy != "server_name" ||
		!slices.Equal(report.Losses[0].ServerNames, []Name{{"another.example", 21}}) {
		t.Errorf("lost %+v of %d: %+v", report.Lost, report.Connections, report.Losses)
	}
}
