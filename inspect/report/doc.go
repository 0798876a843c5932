// Package report writes records: Text for a person on call, JSON for a program. Both are made of the same
// inspect.Connection, after diagnose has judged it.
//
// It judges nothing, opens nothing and reads no clock. Whatever a stranger sent is escaped and bounded on its way out: a
// server name cannot move the cursor, fake a line or reverse the text behind it.
package report
