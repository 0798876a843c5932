package openssl

import (
	"errors"
	"strings"
)

// ErrSystemProfile is a cipher string that leaves the choice to the machine ("PROFILE=SYSTEM"). OpenSSL as Fedora and Red Hat build it
// reads the list from the system-wide crypto policy; other builds refuse the word.
var ErrSystemProfile = errors.New("the system-wide crypto policy decides on the suites, and it is not in this file; OpenSSL's default list stands in for it")

// profile reads a cipher string that begins with a profile: the profile, and the string with OpenSSL's default in its place.
func profile(list string) (word, instead string) {
	if !strings.HasPrefix(list, "PROFILE=") {
		return "", list
	}
	end := strings.IndexAny(list, ": ,;")
	if end < 0 {
		end = len(list)
	}
	return list[:end], "DEFAULT" + list[end:]
}

// Refuses reports whether an error of Policy keeps a program that has these settings from starting. Unsure, it does not say so: where
// the caller does not know the release or the security level, each of those that there are has to refuse the settings.
func (c Context) Refuses(err error, releaseKnown bool) bool {
	var refused *Error
	if errors.Is(err, ErrSystemProfile) || errors.As(err, &refused) && refused.Setting == "version" {
		return false
	}
	if releaseKnown {
		return true
	}
	if c.Options.SecurityLevel == nil { // distributions build OpenSSL with level 1 or 2
		lowest := 1
		c.Options.SecurityLevel = &lowest
	}
	for _, release := range []string{"1.1.1", "3.0", "3.3", "3.5"} {
		c.Options.Version = release
		_, _, errs := c.Policy()
		if !alike(errs, err) {
			return false
		}
	}
	return true
}

// alike reports whether one of the errors is about the same as err.
func alike(errs []error, err error) bool {
	var of *Error
	isSetting := errors.As(err, &of)
	for _, other := range errs {
		var o *Error
		switch is := errors.As(other, &o); {
		case is != isSetting:
		case is && o.Setting == of.Setting && o.Value == of.Value:
			return true
		case !is && strings.HasPrefix(other.Error(), beginning(err)):
			return true
		}
	}
	return false
}

// beginning is what an error is about: the part before the security level, which another release has another one of.
func beginning(err error) string {
	text, _, _ := strings.Cut(err.Error(), " for security level")
	return text
}
