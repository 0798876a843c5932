// Package recording reads back what a user brings as recorded clients: records of ours (docs/record.md), and ClientHellos in
// hexadecimal, base64 or as raw bytes. Each gives the clients one after another; a Tally counts them by what they offer, at the
// speed of reading, so that a policy is tried once on every distinct hello and not once on every connection.
//
// The package opens no file and judges nothing. It may be imported by whatever judges recordings.
package recording
