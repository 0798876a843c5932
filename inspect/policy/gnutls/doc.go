// Package gnutls reads GnuTLS priority strings ("NORMAL:-VERS-ALL:+VERS-TLS1.2:%SERVER_PRECEDENCE") and says what an endpoint with
// one accepts. The levels are those of GnuTLS 3.7, on a processor with AES instructions; @KEYWORD, which stands for what
// a machine's administrator has written, is not known here. It reads no configuration format of a program that uses GnuTLS.
package gnutls
