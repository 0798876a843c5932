// Package certstest is a test PKI made in memory: a root, two intermediates, and ready-made chains with one fault each.
// Only tests import it; what the program itself issues comes from package certs.
package certstest
