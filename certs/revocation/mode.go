package revocation

import (
	"fmt"
	"strings"
)

// Mode is how far revocation is looked into, and what an unanswered question means.
type Mode string

// The modes. In each of them but Off a certificate known to be revoked fails Status.Err.
const (
	Off     Mode = "off"     // nothing is looked at
	Staple  Mode = "staple"  // only what the peer stapled; nobody is asked
	Check   Mode = "check"   // what the staple leaves open is asked; no answer is no failure
	Require Mode = "require" // like Check, and every certificate below the root needs an answer
)

// ParseMode reads a mode as it stands in a configuration.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Off, Staple, Check, Require:
		return m, nil
	}
	return "", fmt.Errorf("revocation: mode %q is none of %s", clip(s), strings.Join([]string{string(Off), string(Staple), string(Check), string(Require)}, ", "))
}

// asks says whether the mode goes to the network.
func (m Mode) asks() bool { return m == Check || m == Require }
