package scan

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Forms of server names that are tried.
const (
	NameNone       = "none"
	NameRight      = "right"
	NameWrong      = "wrong"
	NameAddress    = "ip"
	NameDot        = "trailing_dot"
	NameUpper      = "upper_case"
	NameUnderscore = "underscore"
)

// NameAnswer is what an endpoint answers to one server name.
type NameAnswer struct {
	Form        string               `json:"form"`
	Name        string               `json:"server_name"`
	Reply       Reply                `json:"result"` // the handshake went on
	Evidence    string               `json:"evidence,omitempty"`
	Subject     string               `json:"subject,omitempty"` // of the leaf that was presented
	Fingerprint string               `json:"sha256,omitempty"`
	Same        bool                 `json:"same_as_right"` // the certificate is the one for the right name
	Alert       *inspect.Alert       `json:"alert,omitempty"`
	Certificate *inspect.Certificate `json:"-"`
	Error       *inspect.Error       `json:"-"`
	Version     string               `json:"-"`

	attempts int
	cut      bool // connections were closed without a word
}

func (n *NameAnswer) describe() string {
	switch n.Form {
	case NameNone:
		return "no server name"
	case NameAddress:
		return "the IP address as server name"
	}
	return fmt.Sprintf("the server name %q", n.Name)
}

// names asks with every form of a name.
func (s *session) names(ctx context.Context, hello *probe.Hello) []NameAnswer {
	right := s.target.ServerName
	answers := []NameAnswer{{Form: NameNone}}
	if right != "" {
		parent := right
		if _, rest, ok := strings.Cut(right, "."); ok && strings.Contains(rest, ".") {
			parent = rest
		}
		answers = append(answers, NameAnswer{Form: NameRight, Name: right}, NameAnswer{Form: NameDot, Name: strings.TrimSuffix(right, ".") + "."},
			NameAnswer{Form: NameUpper, Name: strings.ToUpper(right)}, NameAnswer{Form: NameUnderscore, Name: "under_score." + parent})
	}
	answers = append(answers, NameAnswer{Form: NameWrong, Name: "wrong-name.invalid"})
	if at, err := netip.ParseAddrPort(s.target.Endpoint.Address); err == nil {
		answers = append(answers, NameAnswer{Form: NameAddress, Name: at.Addr().WithZone("").String()})
	}
	questions := make([]func(), len(answers))
	for i := range answers {
		questions[i] = func() { s.name(ctx, &answers[i], hello) }
	}
	together(questions...)
	for i := range answers {
		for _, n := range answers {
			if n.Form == NameRight && n.Fingerprint != "" || right == "" && n.Form == NameNone {
				answers[i].Same = answers[i].Fingerprint != "" && answers[i].Fingerprint == n.Fingerprint
			}
			if n.Form == NameRight && n.Reply == Yes && n.Fingerprint == "" { // no certificate for any name
				answers[i].Same = answers[i].Reply == Yes && answers[i].Fingerprint == ""
			}
		}
	}
	return answers
}

func (s *session) name(ctx context.Context, n *NameAnswer, hello *probe.Hello) {
	for attempt := 1; ; attempt++ {
		h := hello.Clone()
		h.SetServerName(n.Name)
		x := s.ask(ctx, h.Fresh(), probe.Options{})
		n.Evidence, n.Error, n.Version, n.Alert, n.attempts = x.Describe(), x.Error, "", nil, attempt
		for _, a := range x.Alerts { // a warning unrecognized_name says something, too (RFC 6066, Section 3)
			alert := inspect.NewAlert(a.Level, a.Description, inspect.FromServer)
			n.Alert = &alert
		}
		if len(x.Certificates) > 0 {
			n.Certificate = inspect.DescribeCertificate(x.Certificates[0])
			n.Subject, n.Fingerprint = n.Certificate.Subject, n.Certificate.Hash.SHA256
		}
		if x.Alert == nil && natureOf(x) == chosen {
			n.Reply, n.Version, n.cut = Yes, x.Version.String(), false
			return
		}
		nature := natureOf(x)
		if n.Reply, n.cut = refusal(x, attempt).Reply, nature == cut; nature == chosen {
			n.Reply = No
		}
		if attempt >= s.repeats(nature) {
			return
		}
	}
}

// broad is a hello for questions about names: that of a client that speaks everything, for what one name has may not be what another
// has (kinds of certificates, versions, suites). Where that was not answered, it is one that is known to be.
func (s *session) broad(r *Report) *probe.Hello {
	if natureOf(r.opening) == chosen {
		return s.open()
	}
	return s.known(r)
}

// Looks are the answers to other names in the record's words, for rules that judge names. There are none where the handshake broke off
// further on than names were asked about (behind the server's flight it is not the name that matters), and none where the right name is
// taken in another hello.
func (r *Report) Looks() []inspect.Look {
	x := r.telling()
	if x != nil && x.Flight && !x.Finished && x.Error != nil {
		return nil
	}
	if x != nil && !x.Flight && x.Error != nil && slices.ContainsFunc(r.SNI, func(n NameAnswer) bool { return n.Form == NameRight && n.Reply == Yes }) {
		return nil // the right name is taken: what failed did so for something else in its hello, or for nothing
	}
	var looks []inspect.Look
	for _, n := range r.SNI {
		var origin string
		switch n.Form {
		case NameNone:
			origin = inspect.LookWithoutName
		case NameAddress:
			continue
		case NameRight:
			origin = inspect.LookConfigured
		default:
			continue
		}
		looks = append(looks, inspect.Look{
			ServerName: n.Name, Origin: origin, Established: n.Reply == Yes, Version: n.Version, Certificate: n.Certificate, Alert: n.Alert, Error: n.Error,
		})
	}
	return looks
}
