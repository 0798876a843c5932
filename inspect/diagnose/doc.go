// Package diagnose reads a Connection and says what is wrong: findings with the values seen, the root cause, who must act,
// and what to change in which system. One rule is one kind of finding; Rules lists them all, in the order in which they
// claim to be the root cause.
//
// It is pure: a Connection goes in, the same Connection comes out with Findings, Verdict, Cause and Fault filled. It does
// no I/O and reads no clock. Findings are computed anew by whoever reads a recording, so nothing here may depend on
// anything but the record and the options.
package diagnose

//go:generate go run ./internal/catalogue ../../docs/findings.md
