// Package openssl reads what people write for OpenSSL: cipher strings, TLS 1.3 suites, groups, signature algorithms and
// protocol names, with the result that the library itself comes to, errors included; and it says what a security level
// takes away. It knows OpenSSL 3.0 and 1.1.1; it holds no configuration format of a program that uses OpenSSL.
//
// The importers of such programs use it, and whoever has a cipher string to explain.
package openssl
