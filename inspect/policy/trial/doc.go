// Package trial tries policies on recorded clients: Check says whom a policy loses and what it would negotiate with the others, Diff
// what one policy takes away from another, Recommend which is the strictest that loses nobody, and Tailor makes one to measure.
// Each distinct kind of client is evaluated once (recording.Tally) and weighted by its connections.
//
// The package is pure: it computes results and renders them as text or Markdown. What a stranger sent is escaped in both.
package trial
