// Package bundle makes the files that a server wants out of whatever pile of certificates and keys there is: PEM in any state, DER,
// PKCS #7, PKCS #12, Java key stores and Kubernetes Secrets. Read recognises what is in the pile, Build matches certificates
// with keys and puts each chain in its right order, Result.Output renders it for a system, and Write puts the files into a
// directory. What was left out, what lacks and what could not be read is said, each with its reason.
//
// It judges chains by package chain, opens no connection (Options.FetchIntermediate does that for it), and prints nothing:
// private keys leave it only through the files of an Output.
package bundle
