package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

const v2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// proxied is a bridge that requires a header.
func proxied(t *testing.T, pki *certstest.PKI, backend *Backend, trusted ...netip.Prefix) *rig {
	return bridged(t, pki, backend, func(l *Listener) { l.ProxyProtocol = &TrustedPeers{Prefixes: trusted} })
}

func TestProxyProtocolIn(t *testing.T) {
	pki := certstest.New(t)
	r := proxied(t, pki, tlsBackend(t, pki, echo), netip.MustParsePrefix("127.0.0.0/8"))
	_, ownPort, _ := net.SplitHostPort(r.address)
	tlvs := "\x04\x00\x03abc"
	for _, tt := range []struct {
		name, header   string
		client, server string // empty: the real ones
	}{
		{"v1 TCP4", "PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n", "192.0.2.9:51234", "198.51.100.1:443"},
		{"v1 TCP6", "PROXY TCP6 2001:db8::9 2001:db8::1 51234 443\r\n", "[2001:db8::9]:51234", "[2001:db8::1]:443"},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", "", ""},
		{"v1 UNKNOWN with words", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", ""},
		{"v2 TCP4", v2Signature + "\x21\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb", "192.0.2.9:51234", "198.51.100.1:443"},
		{"v2 TCP4 with TLVs", v2Signature + "\x21\x11\x00\x12\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb" + tlvs, "192.0.2.9:51234", "198.51.100.1:443"},
		{"v2 TCP6", v2Signature + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x09" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + "\xc8\x22\x01\xbb", "[2001:db8::9]:51234", "[2001:db8::1]:443"},
		{"v2 LOCAL", v2Signature + "\x20\x00\x00\x00", "", ""},
		{"v2 LOCAL with addresses", v2Signature + "\x20\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb", "", ""},
		{"v2 UDP4", v2Signature + "\x21\x12\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb", "", ""},
		{"v2 UNIX", v2Signature + "\x21\x31\x00\xd8" + strings.Repeat("/x\x00", 72), "", ""},
	} {
		for way, segment := range map[string]int{"": 1 << 20, ", byte by byte": 1} {
			t.Run(tt.name+way, func(t *testing.T) {
				c := &headed{slicer: slicer{r.tcp(), segment}, header: tt.header}
				tc := tlsClient(c, r)
				exchange(t, tc, "x")
				tc.Close()
				record := r.record()
				wantOutcome(t, record, inspect.Success)
				if tt.client == "" {
					if record.Client.Address != "127.0.0.1" || record.Server.Address != "127.0.0.1" || net.JoinHostPort("", ownPort) != net.JoinHostPort("", portOf(record.Server)) {
						t.Errorf("client %+v, server %+v", record.Client, record.Server)
					}
					return
				}
				if record.Client != inspect.EndpointOf(netip.MustParseAddrPort(tt.client)) || record.Server != inspect.EndpointOf(netip.MustParseAddrPort(tt.server)) {
					t.Errorf("client %+v, server %+v", record.Client, record.Server)
				}
			})
		}
	}
}

func portOf(e inspect.Endpoint) string {
	_, port, _ := net.SplitHostPort(netip.AddrPortFrom(netip.MustParseAddr(e.Address), uint16(e.Port)).String())
	return port
}

// headed puts a header and the first write into one.
type headed struct {
	slicer
	header string
}

func (h *headed) Write(b []byte) (int, error) {
	if h.header == "" {
		return h.slicer.Write(b)
	}
	first := append([]byte(h.header), b...)
	h.header = ""
	_, err := h.slicer.Write(first)
	return len(b), err
}

func TestProxyProtocolRefused(t *testing.T) {
	pki := certstest.New(t)
	hello := helloOf(t, (&rig{pki: pki}).clientConfig())
	for _, tt := range []struct {
		name    string
		trusted string
		send    []byte
		stay    bool
		kind    inspect.ErrorType
		began   bool // as a header does
	}{
		{"no header", "127.0.0.0/8", hello, true, inspect.ErrorProxyProtocol, false},
		{"plain HTTP", "127.0.0.0/8", []byte("POST / HTTP/1.1\r\n\r\n"), true, inspect.ErrorProxyProtocol, false},
		{"nothing", "127.0.0.0/8", nil, false, inspect.ErrorProxyProtocol, false},
		{"nothing for too long", "127.0.0.0/8", nil, true, inspect.ErrorTimeout, false},
		{"half a v1", "127.0.0.0/8", []byte("PROXY TCP4 192.0"), false, inspect.ErrorProxyProtocol, false},
		{"half a v1 for too long", "127.0.0.0/8", []byte("PROXY TCP4 192.0"), true, inspect.ErrorTimeout, false},
		{"half a v2 for too long", "127.0.0.0/8", []byte(v2Signature + "\x21\x11\x00\x0c"), true, inspect.ErrorTimeout, false},
		{"endless v1", "127.0.0.0/8", []byte("PROXY " + repeat("x", 5000)), true, inspect.ErrorProxyProtocol, true},
		{"v1 with a bad address", "127.0.0.0/8", []byte("PROXY TCP4 192.0.2.999 1.2.3.4 1 2\r\n"), true, inspect.ErrorProxyProtocol, true},
		{"v1 with a bad port", "127.0.0.0/8", []byte("PROXY TCP4 192.0.2.9 1.2.3.4 1 99999\r\n"), true, inspect.ErrorProxyProtocol, true},
		{"v1 with a zone", "127.0.0.0/8", append([]byte("PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n"), hello...), true, inspect.ErrorProxyProtocol, true},
		{"v2 of version 3", "127.0.0.0/8", []byte(v2Signature + "\x31\x11\x00\x0c123456789012"), true, inspect.ErrorProxyProtocol, true},
		{"v2 with a length of 65535", "127.0.0.0/8", append([]byte(v2Signature+"\x21\x11\xff\xff"), make([]byte, 70_000)...), true, inspect.ErrorProxyProtocol, true},
		{"peer that is not trusted", "192.0.2.0/24", append([]byte("PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n"), hello...), true, inspect.ErrorProxyProtocol, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := shortLimits()
			if tt.kind == inspect.ErrorTimeout {
				limits.Timeouts.ProxyProtocol = 300 * time.Millisecond
			}
			r := newRig(t, pki, limits, &Listener{
				ProxyProtocol: &TrustedPeers{Prefixes: []netip.Prefix{netip.MustParsePrefix(tt.trusted)}},
				Routes:        []*Route{{Backend: &Backend{Address: freePort(t)}, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}},
			})
			c := r.tcp()
			go func() {
				c.Write(tt.send)
				if !tt.stay {
					c.CloseWrite()
				}
			}()
			answer, _ := io.ReadAll(c)
			c.Close()
			if len(answer) > 0 {
				t.Errorf("answer %x", answer)
			}
			record := r.record()
			wantError(t, record.ClientLeg, tt.kind, inspect.PhaseProxyProtocol)
			if first := record.ClientLeg.FirstBytes; (first != nil) != tt.began || first != nil && (first.Protocol != "proxy_protocol" || strings.Contains(string(first.Raw), "\x16\x03")) {
				t.Errorf("first bytes %+v", first)
			}
			if record.Client.Address != "127.0.0.1" {
				t.Errorf("client %+v", record.Client)
			}
		})
	}
}

func TestProxyProtocolTrust(t *testing.T) {
	p := &TrustedPeers{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}}
	for address, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fe80::1%eth0": true, "11.0.0.1": false, "2001:db8::1": false} {
		if got := p.trusts(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if !(&TrustedPeers{}).trusts(netip.MustParseAddr("192.0.2.1")) {
		t.Error("an empty list trusts nobody")
	}
}

func TestProxyProtocolOut(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, tt := range []struct {
		name        string
		version     byte
		source, own net.Addr
		want        string
	}{
		{"v1 IPv4", 1, tcp("192.0.2.9:51234"), tcp("198.51.100.1:443"), "PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n"},
		{"v1 IPv6", 1, tcp("[2001:db8::9]:51234"), tcp("[2001:db8::1]:443"), "PROXY TCP6 2001:db8::9 2001:db8::1 51234 443\r\n"},
		{"v1 mapped", 1, tcp("[::ffff:192.0.2.9]:51234"), tcp("198.51.100.1:443"), "PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n"},
		{"v1 mixed", 1, tcp("192.0.2.9:51234"), tcp("[2001:db8::1]:443"), "PROXY TCP6 ::ffff:192.0.2.9 2001:db8::1 51234 443\r\n"},
		{"v1 nobody", 1, nil, nil, "PROXY UNKNOWN\r\n"},
		{"v2 IPv4", 2, tcp("192.0.2.9:51234"), tcp("198.51.100.1:443"), v2Signature + "\x21\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb"},
		{"v2 mixed", 2, tcp("[2001:db8::9]:51234"), tcp("198.51.100.1:443"), v2Signature + "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x09" + strings.Repeat("\x00", 10) + "\xff\xff\xc6\x33\x64\x01\xc8\x22\x01\xbb"},
		{"v2 nobody", 2, nil, nil, v2Signature + "\x20\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			got := make(chan []byte, 1)
			go func() {
				b, _ := io.ReadAll(far)
				got <- b
			}()
			if err := writeProxyHeader(near, tt.version, tt.source, tt.own); err != nil {
				t.Fatal(err)
			}
			near.Close()
			if b := <-got; string(b) != tt.want {
				t.Errorf("got %q, want %q", b, tt.want)
			}
		})
	}
}

// The header in front of the backend's bytes names the client, not us, in every mode.
func TestProxyProtocolReachesTheBackend(t *testing.T) {
	pki := certstest.New(t)
	const header = "PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n"
	for name, mode := range map[string]Mode{"bridge": Bridge, "passthrough": Passthrough} {
		for _, plain := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				got := make(chan string, 1)
				b := &Backend{ProxyProtocol: 1, Plain: plain, Address: listen(t, func(c net.Conn) {
					line := make([]byte, len(header))
					io.ReadFull(c, line)
					got <- string(line)
				})}
				r := bridged(t, pki, b, func(l *Listener) { l.Mode, l.ProxyProtocol = mode, &TrustedPeers{} })
				c := &headed{slicer: slicer{r.tcp(), 1 << 20}, header: header}
				tc := tlsClient(c, r)
				tc.Handshake()
				if line := <-got; line != header {
					t.Errorf("got %q", line)
				}
				tc.Close()
				r.record()
			})
		}
	}
}
