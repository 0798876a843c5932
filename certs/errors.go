package certs

import (
	"errors"
	"fmt"
	"io/fs"
)

// Problem is what is wrong with a file.
type Problem string

// Problems of certificate, key and CA files.
const (
	Unreadable      Problem = "unreadable"       // missing, a directory, no permission
	TooLarge        Problem = "too-large"        // beyond MaxFileBytes
	Empty           Problem = "empty"            // nothing in it
	NotPEM          Problem = "not-pem"          // no PEM block, or text that is none between blocks
	WrongBlock      Problem = "wrong-block"      // PEM, but not of the kind that belongs here
	Swapped         Problem = "swapped"          // certificate and key file are in each other's place
	Encrypted       Problem = "encrypted"        // a key under a passphrase
	Garbled         Problem = "garbled"          // the right kind of block with unreadable content
	KeyMismatch     Problem = "key-mismatch"     // the key is another certificate's
	UnsupportedKey  Problem = "unsupported-key"  // a kind of key that TLS cannot use
	LoosePermission Problem = "loose-permission" // a private key that others may read
	NotAuthority    Problem = "not-authority"    // a certificate that is no CA where one is needed
	Exists          Problem = "exists"           // already there, and not to be overwritten
)

// FileError is a file that cannot be used, in one line: the path first, then the fact.
type FileError struct {
	Path    string
	Problem Problem
	Detail  string // what was found, in words; never anything secret
	Err     error  // the cause below, where there is one
}

func (e *FileError) Error() string { return e.Path + ": " + e.Detail }

func (e *FileError) Unwrap() error { return e.Err }

// problem makes a FileError; a %w in the format is kept as its cause.
func problem(path string, p Problem, format string, args ...any) *FileError {
	err := fmt.Errorf(format, args...)
	var cause error
	if u, ok := err.(interface{ Unwrap() error }); ok {
		cause = u.Unwrap()
	}
	return &FileError{Path: path, Problem: p, Detail: err.Error(), Err: cause}
}

// unreadable strips the path, which stands first already, from what the file system says.
func unreadable(path string, err error) *FileError {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &FileError{Path: path, Problem: Unreadable, Detail: fmt.Sprintf("cannot %s: %v", pe.Op, pe.Err), Err: err}
	}
	return &FileError{Path: path, Problem: Unreadable, Detail: err.Error(), Err: err}
}
