package policy

// Serves reports whether p serves a server name: Names lists it, or covers it by a wildcard, or is nil.
func (p *Policy) Serves(name string) bool {
	if p.Names == nil {
		return true
	}
	for _, pattern := range p.Names {
		if nameMatches(pattern, []byte(name)) {
			return true
		}
	}
	return false
}
