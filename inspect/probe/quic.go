package probe

func (r *run) quic() {}
