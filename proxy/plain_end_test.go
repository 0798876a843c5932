package proxy

import (
	"io"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// libldap with GnuTLS leaves in plain text where it does not accept the certificate. Anything else below TLS is the breach that it looks like.
func TestUnbindInPlainText(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name, says string
		first      string // in TLS
		want       inspect.ErrorType
	}{
		{"unbindRequest", "\x30\x05\x02\x01\x03\x42\x00", "", inspect.ErrorNotTLS},
		{"unbindRequest with a long id", "\x30\x06\x02\x02\x01\x03\x42\x00", "", inspect.ErrorNotTLS},
		{"unbindRequest after data", "\x30\x05\x02\x01\x03\x42\x00", "x", inspect.ErrorAlertSent},
		{"another message", "\x30\x0c\x02\x01\x05\x60\x07\x02\x01\x03\x04\x00\x80\x00", "", inspect.ErrorAlertSent},
		{"garbage", "\x30\x05\x02\x09\x03\x42\x00", "", inspect.ErrorAlertSent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, askedBackend(t, pki, starttls.LDAP), withStartTLS(starttls.LDAP))
			c, _ := r.ask(starttls.LDAP)
			if tt.first != "" {
				exchange(t, c, tt.first)
			}
			raw := c.NetConn()
			io.WriteString(raw, tt.says)
			io.Copy(io.Discard, raw)
			raw.Close()
			record := r.record()
			wantError(t, record.ClientLeg, tt.want, inspect.PhaseTransfer)
			if !record.ClientLeg.Established() {
				t.Error("the leg was established")
			}
		})
	}
}
