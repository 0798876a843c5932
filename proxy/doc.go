// Package proxy stands between clients and a TLS backend: it reads the raw ClientHello before anything else happens,
// decides, terminates or passes through, dials the backend on a leg of its own, copies bytes, and hands over one
// inspect.Connection for each connection it saw.
//
// It knows bytes and crypto/tls and nothing else: certificates come from a GetCertificate of the standard library's
// shape, the policy's opinion from a Decide, and what it saw goes to OnConnection. It does not judge; it records.
//
// A Server whose zero value works is given its listeners by Start:
//
//	server := &proxy.Server{OnConnection: func(c *inspect.Connection) { fmt.Println(c.Event.Outcome) }}
//	err := server.Start([]*proxy.Listener{{
//		Name:    "edge",
//		Address: "127.0.0.1:8443",
//		Routes: []*proxy.Route{{
//			Backend:        &proxy.Backend{Address: "127.0.0.1:443"},
//			GetCertificate: authority.GetCertificate,
//		}},
//	}})
package proxy
