package trial

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is how many connections, of how many kinds of clients.
type Amount struct {
	Connections int64 `json:"connections"`
	Shapes      int   `json:"shapes"`
}

func (a *Amount) add(connections int64) {
	if connections > 0 {
		a.Connections += connections
		a.Shapes++
	}
}

// Threshold is how much loss is still accepted. The zero value is none.
type Threshold struct {
	value   int64 // millionths: of a connection, or of a per cent
	percent bool
}

const millionths = 1_000_000

// ParseThreshold reads "12" (connections) or "0.1%" (of all that were tried), with up to six decimals of a per cent.
func ParseThreshold(s string) (Threshold, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	whole, fraction, dotted := strings.Cut(strings.TrimSpace(number), ".")
	bad := fmt.Errorf("threshold: %q is neither a number of connections (12) nor a percentage (0.1%%)", s)
	if percent && allDigits(whole) && allDigits(fraction) && len(fraction) > 6 {
		return Threshold{}, fmt.Errorf("threshold: %q has more than the six decimals that are compared", s)
	}
	if !allDigits(whole) || dotted && (!percent || !allDigits(fraction) || len(fraction) > 6) || len(whole) > 12 {
		return Threshold{}, bad
	}
	n, err := strconv.ParseInt(whole+(fraction + "000000")[:6], 10, 64)
	if err != nil {
		return Threshold{}, bad
	}
	if percent && n > 100*millionths {
		return Threshold{}, fmt.Errorf("threshold: %q is more than all", s)
	}
	return Threshold{value: n, percent: percent}, nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String is the threshold as ParseThreshold reads it.
func (t Threshold) String() string {
	s := strconv.FormatInt(t.value/millionths, 10)
	if !t.percent {
		return s
	}
	if rest := t.value % millionths; rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%06d", rest), "0")
	}
	return s + "%"
}

// Exceeded reports whether more is lost than the threshold accepts.
func (t Threshold) Exceeded(lost, of int64) bool {
	if !t.percent {
		return lost > t.value/millionths
	}
	// lost/of > value/(100 * millionths), without rounding: the products have 128 bits.
	lostHigh, lostLow := bits.Mul64(uint64(max(lost, 0)), 100*millionths)
	maxHigh, maxLow := bits.Mul64(uint64(max(of, 0)), uint64(t.value))
	return lostHigh > maxHigh || lostHigh == maxHigh && lostLow > maxLow
}
