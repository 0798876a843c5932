// Package scan finds out what a TLS endpoint accepts, by asking it: which versions, suites, groups, signature schemes and
// protocols, in whose order, with which certificates, and what it does not bear.
//
//   - A Scanner looks at one address of a Target and gives a Report.
//   - A Report says how far one gets, layer by layer, and stops at the first that is broken; behind a whole handshake it has all
//     that was enumerated.
//   - An Answer is what is known about one question. That an attempt failed is never an answer: a "no" rests on what the
//     endpoint said, or on the same silence twice while other hellos were answered; everything else is inconclusive.
//   - Findings are what is to be thought of a Report, without a policy and without the certificates, which inspect/diagnose
//     judges.
//
// Hellos are raw (inspect/probe), so that no TLS library's limits are taken for the endpoint's. One question asks about many
// things at once: a hello offers all that is not known yet, what was chosen is taken out, and it is sent again until it is
// refused. An endpoint with thirty suites is known after thirty-one hellos, in its own order.
//
// Only cmd imports it.
package scan
