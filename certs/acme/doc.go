// Package acme serves certificates that come and renew by themselves, behind the shape of the standard library's
// tls.Config.GetCertificate: from a certificate authority that speaks ACME (RFC 8555), with the challenges TLS-ALPN-01 (RFC 8737)
// and HTTP-01, and from the local authority of package certs for names that no public authority would certify. It is the
// only importer of certmagic.
//
// Certificates, keys and the account lie in files by default; replicas that share the directory, or another Storage, share
// them, solve each other's challenges and place one order for a name. Only configured names are ever ordered, and no
// client waits longer for an order than Settings.Wait.
//
// It opens no port to the world: challenges come in through GetCertificate (TLS-ALPN-01) and HTTPChallengeHandler (HTTP-01).
package acme
