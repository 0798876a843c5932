package imported

import "testing"

// TestBounds: beyond a bound nothing is kept, and that is said once.
func TestBounds(t *testing.T) {
	c := Collector{MaxEndpoints: 2, MaxProblems: 3, System: "s", Version: "1"}
	for range 4 {
		c.Add("f", &Endpoint{})
	}
	if n := len(c.Result.Endpoints); n != 2 || c.Result.Endpoints[0].System != "s" || c.Result.Endpoints[0].Version != "1" {
		t.Errorf("%d endpoints: %+v", n, c.Result.Endpoints[0])
	}
	if n := len(c.Result.Problems); n != 1 {
		t.Errorf("%d problems for the endpoints", n)
	}
	for i := range 10 {
		c.Problem("f", i/2, "p") // every other one stands there already
	}
	last := c.Result.Problems[len(c.Result.Problems)-1]
	if len(c.Result.Problems) != 4 || last.Text != "more than 3 problems: the others are not told" {
		t.Errorf("%+v", c.Result.Problems)
	}
}
