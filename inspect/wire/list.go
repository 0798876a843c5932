package wire

import "iter"

// List is a vector of 16-bit code points, seen in the bytes of the message that it stands in (big-endian, two bytes
// each). A nil List is absent or empty; which of the two it is, the extension list tells. The zero value is empty.
type List[T ~uint16] []byte

// ListOf makes a List of its own bytes, for tests and for policies that speak as a client.
func ListOf[T ~uint16](values ...T) List[T] {
	b := make(List[T], 0, 2*len(values))
	for _, v := range values {
		b = append(b, byte(v>>8), byte(v))
	}
	return b
}

// Len is the number of code points.
func (l List[T]) Len() int { return len(l) / 2 }

// At is the i-th code point, in wire order.
func (l List[T]) At(i int) T { return T(l[2*i])<<8 | T(l[2*i+1]) }

// All yields the code points in wire order, GREASE and duplicates included.
func (l List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// Contains reports whether v is in the list.
func (l List[T]) Contains(v T) bool {
	for i := range l.Len() {
		if l.At(i) == v {
			return true
		}
	}
	return false
}

// Slice copies the list out of its message.
func (l List[T]) Slice() []T {
	if len(l) == 0 {
		return nil
	}
	s := make([]T, l.Len())
	for i := range s {
		s[i] = l.At(i)
	}
	return s
}
