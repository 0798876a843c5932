// Package e2e holds tests of the program as its users meet it: the real binary between real clients and real servers, judged
// by the records that it prints, by what the clients get, and by their exit codes. It has no code of its own.
package e2e
