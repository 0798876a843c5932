package proxy

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// mailBackend is one of SMTP that lists what it offers, and takes QUIT.
func mailBackend(t *testing.T, capabilities string) *Backend {
	return &Backend{StartTLS: starttls.SMTP, Address: listen(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(patience))
		lines := textproto.NewReader(bufio.NewReader(c))
		io.WriteString(c, "220 mx\r\n")
		for {
			switch line, err := lines.ReadLine(); {
			case err != nil:
				return
			case line == "QUIT":
				io.WriteString(c, "221 bye\r\n")
				return
			case line == "STARTTLS":
				io.WriteString(c, "220 go ahead\r\n")
			default:
				io.WriteString(c, capabilities)
			}
		}
	})}
}

// A client that leaves without TLS may have had a reason: the backend does not offer any. Then it is the backend that failed. Where it
// does, what the client had said tells it from one that never said a word.
func TestClientsThatLeaveBeforeTLS(t *testing.T) {
	pki := certstest.New(t)
	const without, with = "250-mx\r\n250 SIZE 1\r\n", "250-mx\r\n250 STARTTLS\r\n"
	for _, tt := range []struct {
		name, offers  string
		says          []string
		client        inspect.ErrorType
		phase         inspect.Phase
		answer        string
		backendFailed bool
	}{
		{"no TLS there, QUIT", without, []string{"EHLO me", "QUIT"}, inspect.ErrorStartTLS, inspect.PhaseStartTLS, "", true},
		{"no TLS there, gone", without, []string{"EHLO me"}, inspect.ErrorStartTLS, inspect.PhaseStartTLS, "", true},
		{"no TLS there, not asked", without, nil, inspect.ErrorEmpty, inspect.PhaseStartTLS, "", false},
		{"QUIT", with, []string{"EHLO me", "QUIT"}, inspect.ErrorStartTLS, inspect.PhaseStartTLS, "QUIT", false},
		{"gone", with, []string{"EHLO me"}, inspect.ErrorStartTLS, inspect.PhaseStartTLS, "EHLO", false},
		{"gone behind STARTTLS", with, []string{"EHLO me", "STARTTLS"}, inspect.ErrorClosed, inspect.PhasePeek, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, mailBackend(t, tt.offers), withStartTLS(starttls.SMTP))
			c := r.tcp()
			lines := textproto.NewReader(bufio.NewReader(c))
			lines.ReadLine()
			for _, line := range tt.says {
				io.WriteString(c, line+"\r\n")
				if _, _, err := lines.ReadResponse(2); err != nil {
					t.Fatal(line, err)
				}
			}
			c.Close()
			record := r.record()
			wantError(t, record.ClientLeg, tt.client, tt.phase)
			if said := record.ClientLeg.StartTLS; said == nil || said.Answer != tt.answer {
				t.Errorf("client leg: %+v", said)
			}
			if !tt.backendFailed {
				if e := errorOf(record.BackendLeg); e != nil {
					t.Errorf("the backend is blamed: %+v", e)
				}
				return
			}
			wantError(t, record.BackendLeg, inspect.ErrorStartTLS, inspect.PhaseStartTLS)
			if said := record.BackendLeg.StartTLS; said == nil || !said.Refused {
				t.Errorf("backend leg: %+v", said)
			}
		})
	}
}
