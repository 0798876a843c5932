package main

import (
	"errors"
	"slices"
	"syscall"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

// judge says what to think of a record.
func (p *proxyCommand) judge(c *inspect.Connection) {
	plan, key := p.plan.Load(), routeKey{c.Listener, c.Route}
	p.altSvc.note(c)
	if look, ok := plan.looking[key]; ok {
		plan.revoked.note(c, look.examiner, look.checker)
	}
	if informed, ok := plan.informed.Load(key); ok {
		informed.(*diagnose.Diagnoser).Diagnose(c)
	} else if judge := plan.judges[key]; judge != nil {
		judge.Diagnose(c)
	} else {
		unrouted.Diagnose(c)
	}
}

// lookAgain reports whether it would help to know what the backend answers to other names.
func (p *proxyCommand) lookAgain(c *inspect.Connection) bool {
	p.judge(c)
	return lookAgainAt(c)
}

func lookAgainAt(c *inspect.Connection) bool {
	return slices.ContainsFunc(c.Findings, func(f inspect.Finding) bool { return aboutNames[f.ID] })
}

// aboutNames are the findings that a second look at the backend explains or decides.
var aboutNames = map[string]bool{
	"sni-required-by-backend": true, "default-certificate-served": true, "cert-name-mismatch": true, "backend-alert": true,
	"backend-closed": true, "backend-cipher-no-overlap": true, "backend-alpn-mismatch": true,
}

// observe judges a record, where that was not done yet, and gives it to everybody who wants it.
func (p *proxyCommand) observe(c *inspect.Connection) {
	if c.Verdict == "" || c.BackendLeg != nil && len(c.BackendLeg.Looks) > 0 {
		p.judge(c)
	}
	if c.BackendLeg != nil {
		p.monitor.Observe(targetName(routeKey{c.Listener, c.Route}), c)
	}
	if p.explainer.explain(c) {
		p.judge(c)
	}
	p.note(c)
	if p.plan.Load().config.Admin.Enabled() { // nobody else asks
		p.admin.Observe(c)
	}
	if p.shadow != nil {
		p.shadow.Observe(c)
	}
	p.print(c)
}

// print writes a record out and into the recording.
func (p *proxyCommand) print(c *inspect.Connection) {
	p.outMu.Lock()
	defer p.outMu.Unlock()
	if err := p.out.Write(c); errors.Is(err, syscall.EPIPE) {
		p.unread.Do(func() { p.log.Warn("nobody reads standard output any more; connections go on") })
	} else if err != nil {
		p.log.Error("record not printed", zap.Error(err))
	}
	err := p.recording.Write(c)
	if err != nil {
		p.lost++
		p.missing.Add(1)
	}
	switch {
	case err != nil && !p.unwritten:
		p.unwritten = true
		p.log.Error("record not written, nor are those that follow until this is over", zap.Error(err))
	case err == nil && p.unwritten:
		p.unwritten = false
		p.log.Info("records are written again", zap.Uint64("lost", p.lost))
		p.lost = 0
	}
}

// note keeps the worst severity for the exit code.
func (p *proxyCommand) note(c *inspect.Connection) {
	for i := range c.Findings {
		if rank := severityRank(c.Findings[i].Severity); rank > p.worst.Load() {
			p.worst.Store(rank)
		}
	}
}

func severityRank(s inspect.Severity) int32 {
	switch s {
	case inspect.SeverityError:
		return 3
	case inspect.SeverityWarning:
		return 2
	case inspect.SeverityInfo:
		return 1
	}
	return 0
}
