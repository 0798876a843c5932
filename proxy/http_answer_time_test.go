package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// The time for an answer is counted from the end of the request, however long that takes and whenever it comes.
func TestTheTimeForAnAnswerBeginsWithTheEndOfTheRequest(t *testing.T) {
	const limit = time.Minute
	for _, tt := range []struct {
		name           string
		sent, answered time.Duration
		want           time.Duration // when it is ended; 0: not
	}{
		{"at once, and answered", 0, 59 * time.Second, 0},
		{"at once, and not answered", 0, 2 * time.Hour, limit},
		{"shortly before the time is over", 59 * time.Second, 118 * time.Second, 0},
		{"shortly before the time is over, and not answered", 59 * time.Second, time.Hour, 119 * time.Second},
		{"after a while", 10 * time.Minute, 10*time.Minute + 59*time.Second, 0},
		{"answered before", time.Hour, 10 * time.Minute, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := ticks()
				var ended time.Duration
				inTime := answerTime(limit, func() (int64, bool) { return begun + int64(min(tt.sent, since(begun))), since(begun) >= tt.sent }, func() { ended = since(begun) })
				time.Sleep(tt.answered)
				if in := inTime(); in != (tt.want == 0) || ended != tt.want {
					t.Errorf("in time: %v, ended after %s, want %s", in, ended, tt.want)
				}
				time.Sleep(2 * limit)
				if ended != tt.want {
					t.Errorf("ended after %s, behind the answer", ended)
				}
			})
		})
	}
}
