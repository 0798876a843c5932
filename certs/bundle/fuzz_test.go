package bundle_test

import (
	"context"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// FuzzRead feeds a pile with anything: it must come back, say something about what it did not take, and render what it took.
func FuzzRead(f *testing.F) {
	p := certstest.New(f)
	leaf := p.Leaf("www.example.com")
	f.Add(certs.EncodePEM(append(leaf.Chain(), p.Root.Certificate)...))
	f.Add(keyPEM(f, leaf))
	f.Add(leaf.Certificate.Raw)
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05X.509\x00\x00\x00\x01\x30"))
	f.Add([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x00\xa0\x80\x00\x00\x00\x00\x00\x00\x00\x00"))
	r := build(p, pile(certs.EncodePEM(leaf.Chain()...), keyPEM(f, leaf)))
	for _, target := range bundle.Targets() {
		out, err := r.Output(target, bundle.OutputOptions{Password: "x"})
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range out.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read := bundle.Read([]bundle.Input{{Name: "f", Data: data}}, "x")
		if len(read.Certificates)+len(read.Keys)+len(read.Requests)+len(read.Notes) == 0 {
			t.Fatalf("nothing is said about %d bytes", len(data))
		}
		r := bundle.Build(context.Background(), read, bundle.Options{Time: time.Unix(1_800_000_000, 0), Roots: p.Roots()})
		for _, target := range bundle.Targets() {
			if target == bundle.Java && len(data) > 4096 { // its key derivation is what fuzzing would spend its time on
				continue
			}
			if _, err := r.Output(target, bundle.OutputOptions{Password: "x"}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
