// Package replay sends recorded ClientHellos again, to an endpoint that they have never met, and says which of the clients it would
// lose: each distinct hello goes out as its client would send it now, with fresh randoms and keys, and what comes back is compared
// with what another endpoint answers, or with what a policy predicts.
//
//   - Subjects are what is sent: kinds of clients with their weight, from recordings or from the gallery.
//   - A Runner sends them, within bounds of rate, concurrency and number, and stops where the endpoint seems to have shut its door.
//   - Compare holds two sides against each other; Commons says what those that lose have in common.
//
// It does not judge: policies and findings are its caller's matter, which hands in what a policy predicts as a Side like any other.
package replay
