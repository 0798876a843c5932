// Package clients says from whom a ClientHello likely is: a small table from the form of hellos to TLS libraries and programs. The
// table holds forms that were captured from clients whose release is known, and nothing that was inferred; a form that is not in
// it is unknown. It names nobody for policy's sake: anybody can send anybody's hello.
package clients

//go:generate go run ./internal/generate -hellos ../../../shared/facts/clienthellos.json -out table_generated.go
