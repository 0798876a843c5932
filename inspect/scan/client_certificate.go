package scan

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ClientCertificate is what an endpoint wants to know about its client.
type ClientCertificate struct {
	Request     string                       `json:"request"` // none, requested, required; the strictest of all versions
	ByVersion   map[string]CertificateDemand `json:"by_version,omitempty"`
	Authorities []string                     `json:"authorities,omitempty"`
	Types       []string                     `json:"types,omitempty"`
	Schemes     []string                     `json:"signature_algorithms,omitempty"`
	Sent        bool                         `json:"certificate_sent"`
}

// CertificateDemand is that in one version.
type CertificateDemand struct {
	Request  string `json:"request"`
	Evidence string `json:"evidence,omitempty"`
	Accepted *bool  `json:"accepted,omitempty"` // the certificate that was sent; nil: none was
}

// How much an endpoint wants a client certificate.
const (
	CertificateNone      = "none"
	CertificateRequested = "requested" // one may come without
	CertificateRequired  = "required"
	CertificateUnclear   = "inconclusive"
)

// demand reads what a handshake that was to be finished says about client certificates.
func (r *Report) demand(x *probe.Exchange, sent bool) {
	if x == nil || versionOf(x) == 0 {
		return
	}
	c := r.ClientCertificate
	if c == nil {
		c = &ClientCertificate{ByVersion: map[string]CertificateDemand{}, Sent: sent}
		r.ClientCertificate = c
	}
	if len(c.ByVersion) == 0 {
		c.Request = CertificateNone // until there is more
	}
	d := CertificateDemand{Request: CertificateNone}
	refused := httpCertificateRefusal(x.Answer)
	switch {
	case x.CertificateRequest == nil && !x.Flight:
		d.Request, d.Evidence = CertificateUnclear, x.Describe()
	case x.CertificateRequest == nil && refused != "": // asked for behind the handshake, by renegotiation or post-handshake authentication
		d.Request, d.Evidence = CertificateRequired, refused
	case x.CertificateRequest == nil:
	case sent:
		accepted := x.Alert == nil && x.Finished && refused == ""
		d = CertificateDemand{Request: CertificateRequested, Accepted: &accepted, Evidence: "the certificate is taken"}
		if !accepted {
			d.Evidence = firstOf(refused, x.Describe())
		}
		if without, ok := c.ByVersion[x.Version.String()]; ok { // what came without one tells whether it is required
			d.Request = without.Request
		}
	case x.Alert != nil && x.Alert.Moment == probe.AfterFinished:
		d.Request, d.Evidence = CertificateRequired, x.Describe()
	case refused != "":
		d.Request, d.Evidence = CertificateRequired, refused
	case x.Finished:
		d.Request, d.Evidence = CertificateRequested, "the handshake goes on without one"
	case x.Error != nil && (x.Error.Type == inspect.ErrorClosed || x.Error.Type == inspect.ErrorReset):
		d.Request, d.Evidence = CertificateRequired, "closed without a certificate: "+x.Error.Message
	default:
		d.Request, d.Evidence = CertificateRequested, x.Describe()
	}
	if request := x.CertificateRequest; request != nil {
		if leg := x.Connection.ClientLeg; leg.TLS != nil && leg.TLS.Server != nil && leg.TLS.Server.CertificateRequest != nil {
			asked := leg.TLS.Server.CertificateRequest
			asked.Refusal = refused
			c.Authorities, c.Schemes = asked.Authorities, asked.SignatureAlgorithms
		}
		for _, t := range request.Types {
			if name := wire.ClientCertificateTypeName(t); !strings.Contains(strings.Join(c.Types, " "), name) {
				c.Types = append(c.Types, name)
			}
		}
	}
	c.ByVersion[x.Version.String()] = d
	if demandRank(d.Request) > demandRank(c.Request) {
		c.Request = d.Request
	}
}

func demandRank(request string) int {
	switch request {
	case CertificateRequired:
		return 3
	case CertificateRequested:
		return 2
	case CertificateUnclear:
		return 1
	}
	return 0
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// httpCertificateRefusal reads an HTTP answer that is about the client's certificate: nginx answers 400 where others send an
// alert. It gives the status and the reason; empty: the answer is about something else.
func httpCertificateRefusal(answer []byte) string {
	status := httpStatus(answer)
	if len(status) < 3 || status[0] != '4' {
		return ""
	}
	lower := bytes.ToLower(answer)
	for _, word := range []string{"ssl certificate", "client certificate", "certificate required", "tls certificate"} {
		if i := bytes.Index(lower, []byte(word)); i >= 0 {
			title := ""
			if _, rest, ok := strings.Cut(string(answer), "<title>"); ok {
				title, _, _ = strings.Cut(rest, "</title>")
			}
			if title == "" {
				return "HTTP " + status
			}
			return fmt.Sprintf("HTTP %s", wire.FirstLine([]byte(title), 200))
		}
	}
	return ""
}

// httpStatus is the status line without the protocol: "400 Bad Request"; empty: the answer is no HTTP/1.
func httpStatus(answer []byte) string {
	line := wire.FirstLine(answer, 200)
	if !strings.HasPrefix(line, "HTTP/1.") {
		return ""
	}
	_, status, _ := strings.Cut(line, " ")
	return status
}
