package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// helloBytes writes a ClientHello with the given versions and suites, a name and the usual groups and signatures.
func helloBytes(legacy uint16, versions, suites []uint16) []byte {
	u16 := func(v uint16) []byte { return []byte{byte(v >> 8), byte(v)} }
	sized := func(b []byte) []byte { return append(u16(uint16(len(b))), b...) }
	list := func(l []uint16) (b []byte) {
		for _, v := range l {
			b = append(b, u16(v)...)
		}
		return b
	}
	extension := func(t uint16, body []byte) []byte { return append(u16(t), sized(body)...) }
	name := append([]byte{0}, sized([]byte(siteName))...)
	extensions := extension(0, sized(name))
	extensions = append(extensions, extension(10, sized(list([]uint16{29, 23})))...)
	extensions = append(extensions, extension(13, sized(list([]uint16{0x0403, 0x0804, 0x0401, 0x0201})))...)
	if len(versions) > 0 {
		v := list(versions)
		extensions = append(extensions, extension(43, append([]byte{byte(len(v))}, v...))...)
	}
	body := append(u16(legacy), make([]byte, 32)...)
	body = append(body, 0)
	body = append(body, sized(list(suites))...)
	body = append(body, 1, 0)
	body = append(body, sized(extensions)...)
	return append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

func TestFixesNameAPolicyThatTakesThisClient(t *testing.T) {
	for _, tt := range []struct {
		name     string
		raw      []byte
		alb, clb string
	}{
		{"TLS 1.0, CBC", helloBytes(0x0301, nil, []uint16{0xc013, 0x002f}), "ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-2016-08"},
		{"TLS 1.2, RSA key exchange", helloBytes(0x0303, nil, []uint16{0x002f}), "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", "ELBSecurityPolicy-TLS-1-1-2017-01"},
		{"TLS 1.2, RC4", helloBytes(0x0303, nil, []uint16{0x0005}), "", ""},
	} {
		c := frontFails(inspect.ErrorNoCommonCipher, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.SupportedVersions, h.SupportedCiphers = []string{"TLSv1.2"}, []string{"TLS_RSA_WITH_AES_128_CBC_SHA"}
			h.Message.Raw = tt.raw
		}))
		new(Diagnoser).Diagnose(c)
		if c.Cause != "cipher-no-overlap" {
			t.Fatalf("%s: cause %s", tt.name, c.Cause)
		}
		for _, f := range c.Findings[0].Fixes {
			switch f.Target {
			case "aws/alb":
				if tt.alb == "" && f.Snippet != "" || !strings.HasSuffix(f.Snippet, tt.alb) {
					t.Errorf("%s: ALB: %s: %s", tt.name, f.Action, f.Snippet)
				}
			case "aws/clb":
				if tt.alb != "" && !strings.Contains(f.Snippet, "AttributeValue="+tt.clb+"\n") {
					t.Errorf("%s: CLB: %s: %s", tt.name, f.Action, f.Snippet)
				}
			}
		}
	}
}
