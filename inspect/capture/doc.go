// Package capture reads traffic that already happened, or happens, and gives a record of each TLS, DTLS or QUIC connection
// in it: the same inspect.Connection that the proxy makes, without standing in the way.
//
//	stats, err := capture.Read(ctx, file, "edge.pcapng", capture.Options{
//		OnConnection: func(c *inspect.Connection) { … },
//	})
//
// Files are pcap and pcapng, plain, gzip or zstd; Live reads a network interface (Linux). From the link layer up everything
// is decoded here over byte slices, without an allocation per packet: what tunnels carry counts, and the addresses of a record
// are those of the innermost packet. TCP is put together as far as the handshake reaches, in bounded memory; payload is
// counted and never kept. TLS is found by its bytes, on any port and behind whatever was spoken first.
//
// The package judges nothing. It is the only one that imports gopacket, which decodes the rare link layers; cmd alone
// imports it.
package capture
