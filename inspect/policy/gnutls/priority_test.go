package gnutls

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// verdict is what GnuTLS makes of a string.
type verdict struct {
	Error     string   `json:"error"`
	Offset    int      `json:"offset"`
	Suites    []uint16 `json:"suites"`
	Protocols []string `json:"protocols"`
	Groups    []string `json:"groups"`
	Signs     []string `json:"signs"`
}

// askGnuTLS puts all strings to the libgnutls of this machine, in one process.
func askGnuTLS(t testing.TB, priorities []string) []verdict {
	t.Helper()
	ci := os.Getenv("CI") == "true"
	python, err := exec.LookPath("python3")
	if err != nil {
		if ci {
			t.Fatal("python3 is not installed: CI needs it to ask libgnutls")
		}
		t.Skip("python3 is not installed: there is no way to ask libgnutls")
	}
	var in, out, problems bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, s := range priorities {
		if err := encoder.Encode(s); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"))
	cmd.Env = append(os.Environ(), "GNUTLS_SYSTEM_PRIORITY_FILE=/dev/null")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &problems
	if err := cmd.Run(); err != nil {
		if !ci && (strings.Contains(problems.String(), "find_library") || strings.Contains(problems.String(), "undefined symbol")) {
			t.Skipf("libgnutls cannot be loaded: %s", problems.String())
		}
		t.Fatalf("oracle: %v\n%s", err, problems.String())
	}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	var library struct{ Version string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &library) != nil {
		t.Fatal("oracle: no version")
	}
	if !strings.HasPrefix(library.Version, "3.7.") {
		t.Skipf("libgnutls here is %s; the model that is held against it is of 3.7", library.Version)
	}
	var verdicts []verdict
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(priorities) {
		t.Fatalf("oracle: %d answers to %d questions", len(verdicts), len(priorities))
	}
	return verdicts
}

// TestEveryStringIsReadAsGnuTLSReadsIt holds the model against the library of this machine: what people write, and what
// nobody does.
func TestEveryStringIsReadAsGnuTLSReadsIt(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 9))
	priorities := []string{
		"NORMAL", "PERFORMANCE", "SECURE", "SECURE128", "SECURE192", "SECURE256", "PFS", "LEGACY", "SUITEB128", "SUITEB192", "NONE", "", "EXPORT",
		"NORMAL:%COMPAT:%SERVER_PRECEDENCE", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", "SECURE256:+SECURE128:-VERS-TLS-ALL:+VERS-TLS1.3:%NO_TICKETS",
		"NORMAL:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-ARCFOUR-128:-3DES-CBC", "PFS:-ARCFOUR-128:%LATEST_RECORD_VERSION", "NORMAL:!VERS-SSL3.0:!DHE-RSA",
		"NONE:+VERS-TLS1.2:+AES-128-GCM:+AEAD:+ECDHE-RSA:+SIGN-ALL:+COMP-NULL:+GROUP-ALL", "NORMAL:-KX-ALL:+ECDHE-RSA", "NORMAL:+ANON-ECDH:+ANON-DH",
		"NORMAL:-CIPHER-ALL:+AES-256-GCM", "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1", "NORMAL:", "NORMAL::+RSA", "normal:-vers-tls1.3", "-RSA", "+NORMAL", "NORMAL:+NORMAL",
		"NORMAL:PERFORMANCE", "NONE:NORMAL", "NORMAL:NONE", "NONE:+NONE",
	}
	for len(priorities) < 5000 {
		priorities = append(priorities, randomPriority(r))
	}
	differing, lists := 0, 0
	for i, want := range askGnuTLS(t, priorities) {
		got, err := Parse(priorities[i])
		if want.Error == "" {
			lists++
		}
		if problem := disagreement(got, err, want); problem != "" {
			t.Errorf("%q: %s", priorities[i], problem)
			if differing++; differing == 20 {
				t.Fatal("and so on")
			}
		}
	}
	if lists < 2000 || lists > 4900 {
		t.Errorf("%d of %d strings have a list: the strings do not cover the language", lists, len(priorities))
	}
}

func disagreement(got *Priorities, err error, want verdict) string {
	var typed *Error
	reasons := map[string]error{"GNUTLS_E_INVALID_REQUEST": ErrInvalid, "GNUTLS_E_NO_PRIORITIES_WERE_SET": ErrNoPriorities}
	switch {
	case want.Error != "" && err == nil:
		return "GnuTLS says " + want.Error + ", we read it"
	case want.Error != "":
		if !errors.As(err, &typed) || !errors.Is(err, reasons[want.Error]) || typed.Offset > 0 && typed.Offset != want.Offset {
			return "GnuTLS says " + want.Error + ", we say " + err.Error()
		}
		return ""
	case err != nil:
		return "GnuTLS reads it, we say " + err.Error()
	}
	if !slices.EqualFunc(got.CipherSuites, want.Suites, func(a wire.CipherSuite, b uint16) bool { return uint16(a) == b }) {
		var theirs []string
		for _, s := range want.Suites {
			theirs = append(theirs, wire.CipherSuite(s).String())
		}
		return "GnuTLS: " + strings.Join(theirs, " ") + "\nwe: " + join(got.CipherSuites)
	}
	var versions []wire.Version
	for _, name := range want.Protocols {
		if v, ok := wire.VersionByName(name); ok && strings.HasPrefix(name, "TLS") {
			versions = append(versions, v)
		}
	}
	if !slices.Equal(got.Versions, versions) {
		return "GnuTLS: " + strings.Join(want.Protocols, " ") + ", we: " + join(got.Versions)
	}
	var groups []wire.NamedGroup
	for _, name := range want.Groups {
		if g, ok := wire.NamedGroupByName("GROUP-" + name); ok {
			groups = append(groups, g)
		}
	}
	if !slices.Equal(got.Groups, groups) {
		return "GnuTLS: " + strings.Join(want.Groups, " ") + ", we: " + join(got.Groups)
	}
	var schemes []wire.SignatureScheme
	for _, name := range want.Signs {
		// The list is of what was asked for; a scheme that never is used leaves a server without TLS 1.2 if it is the only one.
		unused := strings.HasSuffix(name, "SHA224") || strings.HasPrefix(name, "DSA-SHA") && name != "DSA-SHA1" || strings.HasSuffix(name, "MD5") || strings.HasSuffix(name, "RMD160")
		if unused || strings.HasPrefix(name, "ECDSA-SECP") && !slices.Contains(want.Protocols, "TLS1.3") {
			continue
		}
		if s, ok := schemeNamed(strings.ToUpper(name)); ok && !slices.Contains(schemes, s) {
			schemes = append(schemes, s)
		}
	}
	if !slices.Equal(got.SignatureSchemes, schemes) {
		return "GnuTLS: " + strings.Join(want.Signs, " ") + ", we: " + join(got.SignatureSchemes)
	}
	return ""
}

func join[T interface{ String() string }](values []T) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, v.String())
	}
	return strings.Join(texts, " ")
}

func randomPriority(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	parts := []string{pick("NORMAL", "NORMAL", "NORMAL", "PERFORMANCE", "SECURE128", "SECURE192", "SECURE256", "PFS", "LEGACY", "SUITEB128", "SUITEB192", "NONE", "NONE:+VERS-TLS-ALL:+SIGN-ALL:+GROUP-ALL:+AEAD:+SHA1")}
	for range 1 + r.IntN(8) {
		sign := pick("+", "+", "-", "-", "!")
		switch n := r.IntN(40); {
		case n < 8:
			parts = append(parts, sign+pick(allCiphers()...))
		case n < 14:
			parts = append(parts, sign+pick(allKX()...))
		case n < 18:
			parts = append(parts, sign+pick(allMACs()...))
		case n < 24:
			parts = append(parts, sign+"VERS-"+pick("ALL", "TLS-ALL", "DTLS-ALL", "TLS1.3", "TLS1.2", "TLS1.1", "TLS1.0", "SSL3.0", "DTLS1.2", "DTLS1.0", "DTLS0.9"))
		case n < 28:
			parts = append(parts, sign+pick("GROUP-", "CURVE-")+pick(append(curves(), primes()...)...))
		case n < 32:
			parts = append(parts, sign+"SIGN-"+pick(allSigns()...))
		case n < 36:
			parts = append(parts, sign+pick("CIPHER-ALL", "KX-ALL", "MAC-ALL", "GROUP-ALL", "CURVE-ALL", "GROUP-DH-ALL", "GROUP-EC-ALL", "SIGN-ALL", "COMP-ALL", "CTYPE-ALL", "COMP-NULL", "CTYPE-X.509"))
		case n < 37:
			parts = append(parts, pick("%COMPAT", "%SERVER_PRECEDENCE", "%NO_TICKETS", "%PROFILE_MEDIUM", "%FORCE_ETM", "%nothing", "%compat"))
		case n < 38:
			parts = append(parts, sign+pick("SECURE128", "NORMAL", "PERFORMANCE", "PFS", "SECURE192"))
		case n < 39:
			parts = append(parts, strings.ToLower(sign+pick(allCiphers()...)))
		default:
			parts = append(parts, pick("+NOTHING", "RSA", "", "+", "-VERS-TLS1.4", "+SIGN-X", "+GROUP-X", "SECURE128", "@X", "+CURVE-ED25519", "+ "))
		}
	}
	return strings.Join(parts, ":")
}

func TestPolicyOfAPriorityString(t *testing.T) {
	p, err := Parse("NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:%NO_TICKETS:%SERVER_PRECEDENCE")
	if err != nil || !p.ServerPrecedence || !p.NoTickets || !slices.Equal(p.Options, []string{"%NO_TICKETS", "%SERVER_PRECEDENCE"}) {
		t.Fatalf("%+v, %v", p, err)
	}
	got := p.Policy()
	if got.Family != policy.FamilyGnuTLS || got.Preference != policy.PreferServer || !slices.Equal(got.Versions, []wire.Version{wire.VersionTLS12, wire.VersionTLS13}) || len(got.CipherSuites) != 29 {
		t.Errorf("%+v", got)
	}
	if p, err = Parse("NORMAL"); err != nil || p.Policy().Preference != policy.PreferClient {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Parse("@SYSTEM:-RSA"); !errors.Is(err, ErrSystem) {
		t.Error(err)
	}
	var typed *Error
	if _, err := Parse("NORMAL:-RSA:+nonsense"); !errors.As(err, &typed) || typed.Offset != 12 || typed.Word != "+nonsense" {
		t.Error(err)
	}
	if _, err := Parse(strings.Repeat("A", maxString+1)); !errors.Is(err, ErrInvalid) || len(err.Error()) > 1000 {
		t.Errorf("%.100v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"NORMAL:-VERS-ALL:+VERS-TLS1.2", "SECURE128:+SECURE192:%COMPAT", "NONE:+AEAD", "@SYSTEM", "NORMAL:!RSA:", "+", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		var typed *Error
		if err != nil {
			if !errors.As(err, &typed) || typed.Offset > len(s) {
				t.Fatal(err)
			}
			return
		}
		for _, suite := range p.CipherSuites {
			if _, ok := suite.Info(); !ok {
				t.Fatalf("unknown suite %v", suite)
			}
		}
	})
}
