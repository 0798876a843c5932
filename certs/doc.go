// Package certs provides the certificates that a listener serves, behind the shape of the standard library's
// tls.Config.GetCertificate: Files reads them from disk and follows changes, Authority is a local certificate authority
// that mints a leaf for each name asked for. It also reads the operator's own files (key pairs, CA bundles) with errors
// that say what is wrong with which file, and issues certificates of any form for demonstrations and tests.
//
// It does not judge what others present: that is package chain. It imports nothing of this project; cmd and tests use it.
package certs
