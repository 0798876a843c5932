// Package boringssl reads BoringSSL cipher strings, which are what Envoy takes: names and keywords between colons, OpenSSL's
// operators, and groups of equal preference ("[A|B]") inside which the client's order wins. It knows the suites and
// keywords of BoringSSL's ssl/ssl_cipher.cc as of 2025; it reads no configuration format.
package boringssl
