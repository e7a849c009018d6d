package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"ft/base"
	"ft/internal/plainjson"
	"ft/internal/run"
	"ft/merge"
	"ft/peft"
)

// Methods that make a whole model of the base (peft.Standalone) leave a model directory in their run, where others leave an adapter.

// wholeModel is the directory of the model that a user's word for an adapter means: that of a run, or the directory itself. It is
// empty if the word means an adapter.
func wholeModel(path string) string {
	dir := filepath.Join(path, run.ModelDir)
	if !exists(filepath.Join(path, run.InfoFile)) {
		dir = path
	}
	if !exists(filepath.Join(dir, "config.json")) || exists(filepath.Join(dir, peft.ConfigFile)) {
		return ""
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openWhole opens a model that ft trained as a whole.
func openWhole(dir string) (*session, error) {
	meta, _, err := peft.ReadMeta(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	b, err := base.Open(dir, families)
	if err != nil {
		return nil, err
	}
	return &session{base: b, meta: peft.Meta{System: meta.System}, origin: meta.Base}, nil
}

// tuned reports whether the session's model is more than a base.
func (s *session) tuned() bool { return s.adapter != nil || s.origin != "" }

// untuned runs f while the session's model is the base that it was tuned from, under the same template.
func (s *session) untuned(f func() error) error {
	if s.origin == "" {
		return s.base.Model.WithoutSlots(f)
	}
	tuned := s.base
	b, err := base.Open(s.origin, families)
	if err != nil {
		return fmt.Errorf("the base that the model was tuned from: %w", err)
	}
	defer b.Close()
	b.UseTemplate(tuned.Chat.Source)
	s.base = b
	defer func() { s.base = tuned }()
	return f()
}

// outcome is the name of what the run makes, a folder in its directory.
func (p *prepared) outcome() string {
	if _, ok := p.session.adapter.(peft.Standalone); ok {
		return run.ModelDir
	}
	return run.AdapterDir
}

// mergeOptions are those for writing the adapter's model to the directory out.
func (p *prepared) mergeOptions(a peft.Standalone, out string, meta peft.Meta) (merge.Options, error) {
	text, err := plainjson.Marshal(meta, "  ")
	return merge.Options{
		Base: p.session.base, Adapter: a, Out: out, Type: a.WeightType(), Force: true,
		Files: map[string][]byte{peft.MetaFile: text},
	}, err
}

// checkWhole is an error, before any training, if the run's outcome is a whole model that could not be written.
func (p *prepared) checkWhole() error {
	a, ok := p.session.adapter.(peft.Standalone)
	if !ok {
		return nil
	}
	o, err := p.mergeOptions(a, run.ModelDir, peft.Meta{})
	if err != nil {
		return err
	}
	if err := merge.Check(o); err != nil {
		return fmt.Errorf("the model that method %s makes could not be saved: %w", p.config.Method.Kind, err)
	}
	return nil
}

// saveWhole writes the model as it is now into the run's directory. It also runs when the context has ended.
func (t *training) saveWhole(a peft.Standalone, name string) error {
	o, err := t.mergeOptions(a, t.run.Path(name), t.meta)
	if err != nil {
		return err
	}
	if err := merge.Write(context.Background(), o); err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	debug.FreeOSMemory() // a merge leaves as much behind as the model is large
	return nil
}

// reload is trainer.Trainer's Reload: for a whole model it reads the best weights back from the run's directory.
func (t *training) reload() func() error {
	a, ok := t.session.adapter.(peft.Standalone)
	if !ok {
		return nil
	}
	return func() error {
		b, err := base.Open(t.run.Path(run.ModelDir), families)
		if err != nil {
			return err
		}
		defer b.Close()
		return a.CopyFrom(b.Model)
	}
}
