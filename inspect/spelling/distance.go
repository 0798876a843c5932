// Package spelling tells a slip of the pen in a setting from a word of another language. It imports nothing: whoever reads settings may use it.
package spelling

import (
	"iter"
	"strings"
)

// Distance is the number of bytes to insert, delete or replace to turn a into b (Levenshtein's).
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// maxWord is the length of the longest word that is compared.
const maxWord = 64

// Slip is the known word that a word is a slip of: the same in another case, or with one byte that is wrong, and two in words of eight
// bytes or more. Empty: it is none.
func Slip(word string, known iter.Seq[string]) string {
	if len(word) > maxWord {
		return ""
	}
	word = strings.ToLower(word)
	best, least := "", 3
	for k := range known {
		allowed := 1
		if len(k) >= 8 {
			allowed = 2
		}
		if d := Distance(word, strings.ToLower(k)); d <= allowed && d < least && len(k) > 3 {
			best, least = k, d
		}
	}
	return best
}
