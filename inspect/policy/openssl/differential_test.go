package openssl

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

const generatedStrings = 20000

// TestEveryStringExpandsAsOpenSSLDoes holds the model against the library of this machine, with strings made of the language's
// words, operators and separators, of unknown words, and of characters that belong to no word.
func TestEveryStringExpandsAsOpenSSLDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1988))
	questions := make([]question, generatedStrings)
	for i := range questions {
		s := randomCipherString(r)
		questions[i].Cipher = &s
	}
	differing := 0
	var lists, refusals, empty int
	for i, want := range askOpenSSL(t, questions) {
		s := *questions[i].Cipher
		got, err := Ciphers(s, Options{})
		switch {
		case want.Error == "":
			lists++
		case want.Error == "no cipher match":
			empty++
		default:
			refusals++
		}
		if problem := disagreement(got, err, want); problem != "" {
			t.Errorf("%q: %s", s, problem)
			if differing++; differing == 20 {
				t.Fatal("and so on")
			}
		}
	}
	t.Logf("%d strings with a list, %d with no cipher match, %d refused", lists, empty, refusals)
	if lists < generatedStrings/3 || empty == 0 || refusals == 0 {
		t.Errorf("the strings do not cover the language: %d lists, %d empty, %d refused", lists, empty, refusals)
	}
}

func disagreement(got Expansion, err error, want verdict) string {
	var typed *Error
	switch {
	case err != nil && !errors.As(err, &typed):
		return "error is not an *Error: " + err.Error()
	case want.Error != "" && err == nil:
		return "OpenSSL says " + want.Error + ", we expand it"
	case want.Error != "" && typed.Reason.Error() != want.Error:
		return "OpenSSL says " + want.Error + ", we say " + err.Error()
	case want.Error == "" && err != nil:
		return "OpenSSL expands it, we say " + err.Error()
	case want.Error != "":
		return ""
	}
	all := got.All()
	if !slices.EqualFunc(all, want.Ciphers, func(a wire.CipherSuite, b uint16) bool { return uint16(a) == b }) {
		var theirs []string
		for _, c := range want.Ciphers {
			theirs = append(theirs, Name(wire.CipherSuite(c)))
		}
		return "OpenSSL: " + strings.Join(theirs, ":") + "\nwe: " + strings.Join(got.Names(), ":")
	}
	if got.SecurityLevel != want.Level {
		return "the security level differs"
	}
	return ""
}

func randomCipherString(r *rand.Rand) string {
	var b strings.Builder
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	if r.IntN(5) == 0 {
		b.WriteString(pick("DEFAULT", "DEFAULT:", "DEFAULT+", "DEFAULTX:", "SUITEB128", "SUITEB192:", "SUITEB128ONLY", "SUITEB128C2", "ALL:", "ALL:COMPLEMENTOFALL:", "HIGH:"))
	}
	for range 1 + r.IntN(8) {
		switch n := r.IntN(100); {
		case n < 4:
			b.WriteString("@STRENGTH")
		case n < 7:
			b.WriteString("@SECLEVEL=" + pick("0", "1", "2", "3", "4", "5", "6", "x", "", "22"))
		case n < 8:
			b.WriteString(pick("[", "\"", "\t", "TLS_RSA_WITH_AES_128_CBC_SHA", "_", "é", "@", "!", "-", "+", "!@STRENGTH", "-+RSA"))
		default:
			b.WriteString(pick("", "", "", "+", "+", "-", "-", "!"))
			for i := range 1 + r.IntN(3) {
				if i > 0 {
					b.WriteByte('+')
				}
				b.WriteString(randomWord(r))
			}
			if r.IntN(200) == 0 {
				b.WriteByte('+')
			}
		}
		if r.IntN(60) > 0 {
			b.WriteString(pick(":", ":", ":", ":", ":", ",", ";", " ", "::", " : "))
		}
	}
	return b.String()
}

func randomWord(r *rand.Rand) string {
	switch n := r.IntN(20); {
	case n < 11:
		return keywordTable[r.IntN(len(keywordTable))].name
	case n < 18:
		return suiteTable[r.IntN(len(suiteTable))].name
	}
	words := [...]string{"SSLv2", "EXP", "TLSv1.1", "TLSv1.3", "high", "DEFAULT", "kECDHr", "SHA512", "PROFILE=SYSTEM", "AES-128", "DES", "LOW.", "kDHr", "RC4-MD5", "DES-CBC3-SHA", "SEED-SHA", "SUITEB128", "STRENGTH", "TLS13-AES-128-GCM-SHA256"}
	return words[r.IntN(len(words))]
}
