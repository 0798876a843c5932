package named

import (
	"errors"
	"strconv"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

func TestFindIsLookup(t *testing.T) {
	var f Finder
	for range 2 {
		for p := range policy.All() {
			for _, ref := range append([]string{p.Name}, p.Aliases...) {
				got, err := f.Find(ref)
				if err != nil || got.Name == "" {
					t.Fatalf("%s: %v", ref, err)
				}
			}
		}
		var unknown *policy.UnknownError
		if _, err := f.Find("aws/ELBSecurityPolicy-2016-09"); !errors.As(err, &unknown) || len(unknown.Nearest) == 0 {
			t.Errorf("got %v, want an *UnknownError with near names", err)
		}
	}
}

func TestManyUnknownNamesAreCheap(t *testing.T) {
	var f Finder
	for i := range 100_000 {
		var unknown *policy.UnknownError
		if _, err := f.Find("aws/none-" + strconv.Itoa(i)); !errors.As(err, &unknown) {
			t.Fatal(err)
		}
	}
	if len(f.unknown) > maxUnknown {
		t.Errorf("%d names are kept", len(f.unknown))
	}
	if _, err := f.Find("aws/ELBSecurityPolicy-2016-08"); err != nil {
		t.Error(err)
	}
}
