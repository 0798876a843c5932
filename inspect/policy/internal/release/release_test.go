package release

import "testing"

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		version, bound string
		want           bool
	}{
		{"", "99", true}, {"latest", "99", true},
		{"1.22", "1.22.0", true}, {"1.21.9", "1.22", false}, {"v1.100", "1.22", true}, {"2", "1.22", true},
		{"2.6.2-1+deb12", "2.6.2", true}, {"2.6.2-1+deb12", "2.6.3", false}, {"1..2", "1.1", false}, {"99999999999999999999", "1", true},
	} {
		if got := AtLeast(test.version, test.bound); got != test.want {
			t.Errorf("AtLeast(%q, %q) = %v", test.version, test.bound, got)
		}
	}
}
