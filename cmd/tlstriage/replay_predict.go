package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/replay"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// newPredictor reads what a reference means. Hellos go to a listener: of one that chooses between several blocks by the server name, each
// hello is judged by the block that it gets to, also where the reference names one of them. A client without a name gets to the default.
func newPredictor(cmd *cobra.Command, ref string) (*predictor, error) {
	loaded, err := importer.LoadListener(newUserFiles(cmd), ref)
	if err != nil {
		return nil, usage(err)
	}
	if loaded.Listener != nil {
		loaded = loaded.Listener
	}
	return &predictor{label: ref, target: targetOf(cmd, loaded)}, nil
}

// predicted is an answer with the record's form of it.
type predicted struct {
	replay.Answer
	outcome *inspect.PolicyOutcome
}

// side is what the policy makes of all subjects, asking for names.
func (p *predictor) side(subjects []*replay.Subject, names replay.Names) replay.Side {
	side := replay.Side{Label: p.label, Predicted: true, Answers: make([]replay.Answer, len(subjects))}
	for i, s := range subjects {
		side.Answers[i] = p.answer(s, names.Apply(s.Name)).Answer
	}
	return side
}

// answer is what the policy makes of a subject as it is sent: with this server name, without what a fresh hello lacks.
func (p *predictor) answer(s *replay.Subject, name string) predicted {
	hello := s.Hello.Clone()
	if name != hello.ServerName() && hello.ServerName() != "" {
		hello.SetServerName(name)
	}
	view, err := hello.Fresh().View()
	if err != nil {
		view = s.View
	}
	return p.judge(view)
}

func (p *predictor) judge(view *wire.ClientHello) predicted {
	outcome := trial.Judge(&recording.Client{Hello: view}, p.target).Policy
	a := replay.Answer{Accepted: outcome.Accepted}
	if outcome.Accepted {
		a.Choice = replay.Choice{Version: outcome.Version, Cipher: outcome.Cipher, Curve: outcome.Curve, NextProtocol: outcome.NextProtocol}
	} else {
		a.Alert = outcome.Alert
		a.Reason = "refused for its " + outcome.RejectedBy
		if outcome.Alert != "" {
			a.Reason += fmt.Sprintf(" (alert %s)", outcome.Alert)
		}
	}
	a.Undetermined = outcome.Uncertain
	return predicted{Answer: a, outcome: outcome}
}
