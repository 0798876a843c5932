// Package foreign reads ClientHellos that other programs keep in forms of their own, and gives them as records: the client
// simulations of testssl.sh, the user agents of SSL Labs, the signatures of curl-impersonate. It ships none of them: a user brings
// what he has the right to use.
//
// Where such a form has the bytes of a hello they are taken; where it only lists what a client offers a hello is built from the
// lists, and the record's origin says so. The package opens no file; cmd imports it.
package foreign
