// Package why finds out by experiment why an endpoint does not accept a ClientHello.
//
// It looks for a hello that the endpoint accepts, and walks from it towards the one that fails, one property after the other:
// name, versions, suites, groups, key shares, signature schemes, ALPN, extensions, layout. What the endpoint still accepts is
// kept; what it does not is a cause. In the end there is a hello that works and differs from the failing one in the causes and in
// nothing else. Each cause is then made precise (which suite, which extension, how many bytes), and believed only after both
// hellos have been sent again and done the same as before.
//
// Every connection is counted against a budget and is in the result. What cannot be told is said to be undetermined, with what
// was tried. inspect/probe makes the connections; cmd imports this package.
package why
