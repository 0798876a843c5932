package main

import (
	"errors"
	"os"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// openCut makes the file of --write, which must not be there yet.
func (p *pcapCommand) openCut() (err error) {
	if p.write == "" {
		return nil
	}
	if p.cutFile, err = os.OpenFile(p.write, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	p.cut = capture.NewWriter(p.cutFile)
	return nil
}

// closeCut closes the file of --write. One with nothing in it, which nobody could open, is removed.
func (p *pcapCommand) closeCut() error {
	if p.cut == nil {
		return nil
	}
	info, err := p.cutFile.Stat()
	if err == nil && info.Size() == 0 && info.Mode().IsRegular() {
		err = os.Remove(p.write)
	}
	return errors.Join(err, p.cutError, p.cutFile.Close())
}

// cutSecrets puts what opens a connection that is shown in front of its packets.
func (p *pcapCommand) cutSecrets(c *inspect.Connection, lines []byte) {
	if p.wanted(c) && p.cutError == nil {
		p.cutError = p.cut.AddSecrets(lines)
		p.opened++
	}
}

// cutOut puts the packets of a connection that is shown into the file of --write.
func (p *pcapCommand) cutOut(c *inspect.Connection, packets []capture.Packet) {
	if !p.wanted(c) {
		return
	}
	comment := string(c.Verdict)
	if c.Cause != "" {
		comment += ": " + c.Cause
		for _, f := range c.Findings {
			if f.ID == c.Cause {
				comment += ": " + f.Title
				break
			}
		}
	}
	if p.cutError == nil { // one that has failed stays so
		p.cutError = p.cut.Add(packets, comment)
	}
}
