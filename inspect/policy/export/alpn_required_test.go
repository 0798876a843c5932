package export

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// What diff --from would show as lost is no loss that the policy leaves open.
func TestAProtocolThatIsInsistedOnDiffers(t *testing.T) {
	p, err := policy.Lookup("aws/ELBSecurityPolicy-2016-08")
	if err != nil {
		t.Fatal(err)
	}
	for version, lossless := range map[string]bool{"1.22": false, "1.20": true} {
		s, err := Export(p, "nginx", Options{Version: version})
		if err != nil || s.Lossless() != lossless {
			t.Errorf("nginx %s: lossless %v, want %v: %v, %v", version, s.Lossless(), lossless, s.Losses, err)
		}
	}
}
