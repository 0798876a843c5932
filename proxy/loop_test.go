package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// chained starts two listeners and then gives them their routes, when their addresses are known.
func chained(t *testing.T, pki *certstest.PKI, edit func(*Listener), routes func(first, second string) [2][]*Route) *rig {
	t.Helper()
	listeners := [2]*Listener{{Address: "127.0.0.1:0"}, {Address: "127.0.0.2:0"}}
	serving := serves(pki.Make(certstest.Healthy, testName))
	for _, l := range listeners {
		l.Routes = []*Route{{Backend: &Backend{Address: "192.0.2.1:1"}, GetCertificate: serving}}
		edit(l)
	}
	r := newRig(t, pki, shortLimits(), listeners[:]...)
	var routed []*Listener
	for i, of := range routes(r.address, r.at(listeners[1])) {
		l := *listeners[i]
		for _, route := range of {
			route.GetCertificate = serving
		}
		l.Routes = of
		routed = append(routed, &l)
	}
	if err := r.server.Reload(routed); err != nil {
		t.Fatal(err)
	}
	return r
}

// A proxy whose backend is itself, or another listener that leads back, refuses what comes back rather than have one client take
// all that it has.
func TestABackendThatLeadsBack(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name     string
		mode     Mode
		protocol starttls.Protocol
		ring     bool
	}{
		{"bridge", Bridge, "", false}, {"http", HTTP, "", false}, {"passthrough", Passthrough, "", false}, {"asked for TLS", Bridge, starttls.LDAP, false},
		{"a ring, bridge", Bridge, "", true}, {"a ring, http", HTTP, "", true}, {"a ring, passthrough", Passthrough, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := chained(t, pki, func(l *Listener) { l.Mode, l.StartTLS = tt.mode, tt.protocol }, func(first, second string) [2][]*Route {
				if !tt.ring {
					second = first
				}
				to := func(address string) []*Route {
					return []*Route{{Backend: &Backend{Address: address, StartTLS: tt.protocol}}}
				}
				return [2][]*Route{to(second), to(first)}
			})
			c := r.tcp()
			if tt.protocol != "" {
				starttls.Ask(tt.protocol, testName, c)
			}
			s := tlsClient(c, r)
			if s.Handshake() == nil {
				io.WriteString(s, "GET / HTTP/1.1\r\nHost: "+testName+"\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, s)
			}
			c.Close()
			r.server.Shutdown(t.Context())
			close(r.records)
			n, refused, looped := 0, 0, 0
			for record := range r.records {
				n++
				if e := errorOf(record.ClientLeg); e != nil && e.Type == inspect.ErrorLoop {
					refused++
				}
				if e := errorOf(record.BackendLeg); e != nil && e.Type == inspect.ErrorLoop {
					looped++
				}
			}
			if refused == 0 || looped == 0 || n > 12 {
				t.Errorf("%d connections, %d of them refused because they came back, %d whose backend leg was", n, refused, looped)
			}
		})
	}
}

// One listener may be the backend of another, and even its own under another name, as long as that comes to an end.
func TestListenersMayStandBehindOneAnother(t *testing.T) {
	pki := certstest.New(t)
	for _, mode := range []Mode{Bridge, HTTP, Passthrough} {
		t.Run(string(mode), func(t *testing.T) {
			service := tlsBackend(t, pki, func(c *tls.Conn) {
				for {
					request, err := http.ReadRequest(bufio.NewReader(c))
					if err != nil {
						return
					}
					io.Copy(io.Discard, request.Body)
					io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			})
			r := chained(t, pki, func(l *Listener) { l.Mode = mode }, func(first, second string) [2][]*Route {
				routes := [2][]*Route{{{Backend: &Backend{Address: second}}}, {{Backend: service}}}
				if mode != Passthrough { // which sends the client's name as it is
					routes[1] = []*Route{{Backend: &Backend{Address: second, ServerName: "inner.example"}}, {Name: "inner", ServerNames: []string{"inner.example"}, Backend: service}}
				}
				return routes
			})
			for range 3 {
				c := r.tls(protocols("http/1.1"))
				for range 2 {
					io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testName+"\r\n\r\n")
					answer, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil || answer.StatusCode != http.StatusNoContent && answer.StatusCode != http.StatusMisdirectedRequest {
						t.Fatal(answer, err)
					}
				}
				c.Close()
			}
			r.server.Shutdown(t.Context())
			if n := len(r.server.outgoing.open); n != 0 {
				t.Errorf("%d connections are remembered", n)
			}
			close(r.records)
			for record := range r.records {
				for _, leg := range []*inspect.Leg{record.ClientLeg, record.BackendLeg} {
					if e := errorOf(leg); e != nil && e.Type == inspect.ErrorLoop {
						t.Errorf("taken for a loop: %+v", e)
					}
				}
			}
		})
	}
}

// A connection is remembered by where it comes from and where it leads, and only as long as it is open.
func TestConnectionsThatAreOverAreForgotten(t *testing.T) {
	var o outgoing
	at := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	accepted := &addressed{remote: at(4711), local: at(443)}
	first, second := &addressed{local: at(4711), remote: at(443)}, &addressed{local: at(4711), remote: at(443)}
	o.add(first, &Route{}, nil)
	o.add(second, &Route{}, o.find(accepted)) // its address is free again before anybody said that the first is over
	if w := o.find(accepted); w == nil || w.conn != second || w.length != 2 {
		t.Error("the second came on the first")
	}
	if o.forget(first) || o.find(accepted) == nil {
		t.Error("the end of the first is not that of the second")
	}
	o.refuse(o.find(accepted))
	if !o.forget(second) || o.find(accepted) != nil || len(o.open) != 0 {
		t.Error("the second is over")
	}
	o.add(&addressed{local: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}, remote: at(443)}, &Route{}, nil)
	if o.find(accepted) != nil {
		t.Error("ports of UDP are others")
	}
}

// A client on this machine may well have the port of a connection to a backend: the kernel tells the two apart by where they lead.
func TestAPortMayBeAClientsToo(t *testing.T) {
	var o outgoing
	at := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	client := &addressed{remote: at(4711), local: at(443)}
	backends := []*addressed{{local: at(4711), remote: at(8443)}, {local: at(4711), remote: at(8444)}, {local: at(4711), remote: at(8445)}}
	for _, b := range backends {
		o.add(b, &Route{}, nil)
	}
	if o.find(client) != nil {
		t.Error("a client is taken for a connection that leads elsewhere")
	}
	o.refuse(o.find(&addressed{remote: at(4711), local: at(8444)}))
	for i, b := range []*addressed{backends[1], backends[2], backends[0]} {
		if looped := o.forget(b); looped != (i == 0) {
			t.Errorf("the connection to %v came back: %v", b.remote, looped)
		}
		if o.find(&addressed{remote: at(4711), local: b.remote}) != nil {
			t.Errorf("the connection to %v is over", b.remote)
		}
	}
	if len(o.open) != 0 {
		t.Errorf("%d are left", len(o.open))
	}
}

type addressed struct {
	net.Conn
	local, remote net.Addr
}

func (a *addressed) LocalAddr() net.Addr  { return a.local }
func (a *addressed) RemoteAddr() net.Addr { return a.remote }
