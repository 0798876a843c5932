// Package servertest has the servers that tests of those who connect need: ones that look at a hello before it reaches TLS, ones that cut
// connections, real programs, and certificates for them all. Only tests import it.
package servertest
