package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/configs"
)

// Lists that let nobody in are said at the start, with why: out of date, not valid yet, or of another authority.
func TestListsThatCoverNobodyAreSaidAtTheStart(t *testing.T) {
	pki := certstest.New(t)
	list := func(by *certs.Pair, from, until time.Duration, extra ...pkix.Extension) []byte {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: pki.Now.Add(from), NextUpdate: pki.Now.Add(until), ExtraExtensions: extra}, by.Certificate, by.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	const hour = time.Hour
	for _, tt := range []struct {
		name string
		list []byte
		want []string
	}{
		{"current", list(pki.Root, -hour, hour), nil},
		{"old", list(pki.Root, -3*hour, -hour), []string{"vouches for nobody: every client of its issuer is refused, the answer (good) was good until"}},
		{"of tomorrow", list(pki.Root, 24*hour, 48*hour), []string{"vouches for nobody: every client of its issuer is refused, the answer is of"}},
		{"a delta", list(pki.Root, -hour, hour, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}), []string{"vouches for nobody: every client of its issuer is refused, the list is a delta"}},
		{"with a critical extension", list(pki.Root, -hour, hour, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}), []string{"critical extension 1.2.3"}},
		{"of another authority", list(pki.OtherRoot, -hour, hour), []string{"no list of this authority"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := newRevocations(&configs.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			file := filepath.Join(t.TempDir(), "list.crl")
			if err := os.WriteFile(file, tt.list, 0o600); err != nil {
				t.Fatal(err)
			}
			core, logs := observer.New(zapcore.WarnLevel)
			if _, err := r.verifyClient(file, []*x509.Certificate{pki.Root.Certificate}, zap.New(core)); err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, e := range logs.All() {
				why, _ := e.ContextMap()["why"].(string)
				said = append(said, e.Message+", "+why)
			}
			if len(said) != len(tt.want) {
				t.Fatalf("said: %q, want %q", said, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(said[i], want) {
					t.Errorf("said: %q, want %q", said[i], want)
				}
			}
		})
	}
}
