// Package clients knows clients by their ClientHello. It says from whom a hello likely is: a small table from the form of hellos to
// TLS libraries and programs, which holds forms that were captured from clients whose release is known, and nothing that was
// inferred; a form that is not in it is unknown. And it has a gallery of such hellos, to be sent again or tried on a policy. It
// names nobody for policy's sake: anybody can send anybody's hello.
package clients

//go:generate go run ./internal/generate -hellos ../../../shared/facts/clienthellos.json -newer internal/capture/captured.json -out table_generated.go -gallery gallery_generated.go
