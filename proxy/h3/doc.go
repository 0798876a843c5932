// Package h3 is the UDP side of the proxy: QUIC, and HTTP/3 over it. It may be imported by cmd alone.
//
// A Server listens beside the TCP listeners of a proxy.Server. Every datagram goes through a tap, which reads the ClientHello of
// each connection from its Initial packets before anything is answered, has package proxy decide about it by the same routes and
// policies as about a TCP client's, and does what was decided:
//
//   - a client that is refused gets the TLS alert as an error of QUIC;
//   - one that is terminated is handed to quic-go with its datagrams as they came, and its requests to the handler of mode http;
//   - one that is passed through has its datagrams sent to the backend untouched, by the connection ids that both sides show.
//
// What strangers can make it hold is bounded: hellos that are not whole, in number, size and time; connections, by the bound of the
// proxy.Server; flows that pass through, by the same. Whose address may be forged gets a Retry while many handshakes are open.
package h3
