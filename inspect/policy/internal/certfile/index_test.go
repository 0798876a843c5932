package certfile

import (
	"slices"
	"testing"
)

func TestIndexFindsWhatCovers(t *testing.T) {
	leaves := []*Leaf{{Names: []string{"a.example", "b.example"}}, {Names: []string{"*.example"}}, {Names: []string{"*.B.example"}}}
	var x Index
	if x.Find("a.example") != nil {
		t.Error("an empty index finds something")
	}
	for _, l := range leaves {
		x.Add(l)
	}
	for _, name := range []string{"a.example", "A.example", "c.example", "x.b.example", "x.y.b.example", "*.example", "*.b.example", "example", "", ".example"} {
		var want []int
		for i, l := range leaves {
			if l.Covers(name) && name != "*.example" && name != "*.b.example" {
				want = append(want, i)
			}
		}
		got := slices.Clone(x.Find(name))
		slices.Sort(got)
		switch name {
		case "*.example":
			want = []int{1}
		case "*.b.example":
			want = []int{2}
		}
		if !slices.Equal(slices.Compact(got), want) {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}
