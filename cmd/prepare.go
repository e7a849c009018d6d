package cmd

import (
	"fmt"
	"strings"

	"ft/configs"
	"ft/dataset"
	"ft/eval"
	"ft/internal/ui"
	"ft/peft"
)

// prepared is everything that a training run needs, checked, before anything is written.
type prepared struct {
	config  *configs.Config
	session *session
	data    *data
	train   []dataset.Sample
	val     []dataset.Sample
	metrics []eval.Metric
}

// prepare opens the base, reads and tokenizes the data, and puts a fresh adapter on the base.
func prepare(c *configs.Config, s ui.Streams) (*prepared, error) {
	p := &prepared{config: c}
	var err error
	if p.metrics, err = eval.Parse(strings.Join(c.Eval.Metrics, ",")); err != nil {
		return nil, err
	}
	if p.data, err = loadData(c.Data); err != nil {
		return nil, err
	}
	if p.session, err = openFormat(c, s); err != nil {
		return nil, err
	}
	if c.Data.Template != "plain" && p.session.base.Chat.Source == "" {
		s.Note("%s has no chat template: using the plain layout (question, new line, answer, end token)", c.Base)
	}
	if err := p.fill(); err != nil {
		p.session.close()
		return nil, err
	}
	return p, nil
}

// fill tokenizes the rows and puts the adapter on the base.
func (p *prepared) fill() error {
	if err := p.encode(); err != nil {
		return err
	}
	c := p.config
	m, err := methodOf(c.Method.Kind)
	if err != nil {
		return err
	}
	p.session.adapter, err = m.fresh(c.Method.Config, c.Train.Seed).Attach(p.session.base.Model)
	return err
}

// encode tokenizes the parts that training sees.
func (p *prepared) encode() error {
	var err error
	d := p.data
	if p.train, err = dataset.Encode(d.parts.Train, p.config.Data, p.session.format, d.report); err != nil {
		return err
	}
	if p.val, err = dataset.Encode(d.parts.Val, p.config.Data, p.session.format, d.report); err != nil {
		return err
	}
	if best := p.config.Eval.Best; best != "loss" && len(p.val) == 0 {
		return usageError{fmt.Errorf("eval.best: %s needs a validation part to choose by, and there is none", best)}
	}
	for _, part := range []struct {
		name string
		rows int
		left int
	}{{"train", len(d.parts.Train), len(p.train)}, {"val", len(d.parts.Val), len(p.val)}} {
		if part.left == 0 && (part.rows > 0 || part.name == "train") {
			return fmt.Errorf("dataset: no sample is left of the %d rows of the %s part (%s); raise data.max_tokens (now %d) or set data.too_long: cut",
				part.rows, part.name, dropped(d.report), p.config.Data.MaxTokens)
		}
	}
	return nil
}

// summary tells what the run is about to do.
func (p *prepared) summary(s ui.Streams) {
	c, d := p.config, p.data
	s.Note("base     %s: %s, %d layers, width %d, %s parameters", c.Base, p.session.base.Family.ModelType,
		p.session.base.Model.Spec.Layers, p.session.base.Model.Spec.Dim, ui.Count(p.session.base.Model.Size()))
	s.Note("method   %s: %s trainable parameters in %d modules", c.Method.Kind, ui.Count(trainable(p.session.adapter)), len(p.session.adapter.Targets()))
	s.Note("data     %d rows: train %d, val %d, test %d; %s", d.report.Rows, len(p.train), len(p.val), len(d.parts.Test), dropped(d.report))
	for _, n := range notes(d.report) {
		s.Note("         %s", n)
	}
	tokens := 0
	for i := range p.train {
		tokens += len(p.train[i].IDs)
	}
	s.Note("training %d steps of %d samples, about %s tokens an epoch", c.Train.TotalSteps(len(p.train)), c.Train.Batch, ui.Count(tokens))
	if strings.TrimSpace(p.session.base.Chat.Source) != "" {
		s.Detail("an answer ends with %q", p.session.format.End)
	}
}

// trainable counts an adapter's parameters.
func trainable(a peft.Adapter) int {
	n := 0
	for _, p := range a.Params() {
		n += p.Size()
	}
	return n
}
