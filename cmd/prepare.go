package cmd

import (
	"fmt"
	"strings"
	"sync"

	"ft/configs"
	"ft/eval"
	"ft/internal/profile"
	"ft/internal/tokencache"
	"ft/internal/ui"
	"ft/peft"
	"ft/trainer"
)

// prepared is everything that a training run needs, checked, before anything is written.
type prepared struct {
	config  *configs.Config
	streams ui.Streams
	session *session
	data    *tokencache.Data // samples and rows; settle must be called before they are used
	metrics []eval.Metric
	extras  *extras

	cache      *tokencache.Cache // nil: data is not kept
	key        tokencache.Key
	whole      chan bool // of data that is being checked: whether it is not damaged
	background sync.WaitGroup
}

// prepare opens the base, reads and tokenizes the data, and puts a fresh adapter on the base. The caller closes what it returns.
func prepare(c *configs.Config, s ui.Streams) (*prepared, error) {
	p := &prepared{config: c, streams: s}
	var err error
	if p.metrics, err = eval.Parse(strings.Join(c.Eval.Metrics, ",")); err != nil {
		return nil, err
	}
	if p.extras, err = loadExtras(c.Eval.Tasks, c.Eval.General, 0); err != nil {
		return nil, err
	}
	span := profile.Start(profile.BaseLoad)
	p.session, err = openFormat(c, s)
	span.Stop()
	if err != nil {
		return nil, err
	}
	if c.Data.Template != "plain" && p.session.base.Chat.Source == "" {
		s.Note("%s has no chat template: using the plain layout (question, new line, answer, end token)", c.Base)
	}
	if err := p.fill(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// fill gives the run its samples and rows, out of the cache or from the files, and puts the adapter on the base.
func (p *prepared) fill() error {
	if err := p.readData(); err != nil {
		return err
	}
	defer profile.Start(profile.Attach).Stop()
	c := p.config
	m, err := methodOf(c.Method.Kind)
	if err != nil {
		return err
	}
	method := m.fresh(c.Method.Config, c.Train.Seed)
	if r, ok := method.(reader); ok && p.session.base.Tokenizer != nil {
		method = r.Tokenized(func(text string) []int32 { return p.session.base.Tokenizer.Encode(text, true) })
	}
	if p.session.adapter, err = method.Attach(p.session.base.Model); err != nil {
		return err
	}
	if h := hooks(p.session.adapter); h != nil {
		if err := h.Begin(c.Train.TotalSteps(p.data.Train.Len())); err != nil {
			return usageError{err}
		}
	}
	return p.checkWhole()
}

// hooks are what an adapter does around the optimizer's steps, nil if nothing.
func hooks(a peft.Adapter) trainer.Hooks {
	h, _ := a.(trainer.Hooks)
	return h
}

func (p *prepared) readData() error {
	span := profile.Start(profile.Data)
	data := p.cached()
	span.Stop()
	if data != nil {
		p.data = data
		p.whole = make(chan bool, 1)
		p.background.Go(func() { p.whole <- data.Whole() })
	} else if err := p.makeData(); err != nil {
		return err
	}
	best := p.config.Eval.Best
	if best == "loss" {
		return nil
	}
	rows, err := p.data.ValRows(1)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return usageError{fmt.Errorf("eval.best: %s needs a validation part with questions to choose by, and there is none", best)}
	}
	return nil
}

// settle waits until data out of the cache is checked. Should it be damaged, the files are read after all.
func (p *prepared) settle() error {
	if p.whole == nil || <-p.whole {
		return nil
	}
	return p.makeData()
}

// lowForPrompts is a train.lr below which a soft prompt hardly learns.
const lowForPrompts = 1e-3

// summary tells what the run is about to do.
func (p *prepared) summary(s ui.Streams) {
	c, d := p.config, p.data
	s.Note("base     %s: %s, %d layers, width %d, %s parameters", c.Base, p.session.base.Family.ModelType,
		p.session.base.Model.Spec.Layers, p.session.base.Model.Spec.Dim, ui.Count(p.session.base.Model.Size()))
	where := fmt.Sprintf("%d modules", len(p.session.adapter.Targets()))
	if n := p.session.base.Model.Virtual(); n > 0 {
		where = fmt.Sprintf("front of the text, at %d virtual positions", n)
	}
	s.Note("method   %s: %s trainable parameters in %s", c.Method.Kind, ui.Count(trainable(p.session.adapter)), where)
	p.tellMemory(s)
	s.Note("data     %d rows: train %d, val %d, test %d; %s", d.Report.Rows, d.Train.Len(), d.Val.Len(), d.Rows.Test, dropped(d.Report))
	for _, n := range append(badLines(d.Report), notes(d.Report)...) {
		s.Note("         %s", n)
	}
	for _, t := range p.extras.tasks {
		s.Note("task     %s: %d rows, %s", t.Name, t.Len(), t.OutputType)
	}
	if l := d.Report.Leaks; l != nil && l.Rows > 0 {
		s.Warn("%s", leaksAccepted(l))
	}
	s.Note("training %d steps of %d samples, about %s tokens an epoch", c.Train.TotalSteps(d.Train.Len()), c.Train.Batch, ui.Count(d.Tokens))
	if p.session.base.Model.Virtual() > 0 && c.Train.LR < lowForPrompts {
		s.Note("         train.lr %g is low for a soft prompt, which little would move; 1e-2 to 1e-1 is usual", c.Train.LR)
	}
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
