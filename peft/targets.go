package peft

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ft/internal/suggest"
	"ft/nn"
)

// Targets says which linear layers a method changes, with the meaning of the keys of the same names in
// Hugging Face PEFT 0.21 (tuners_utils.check_target_module_exists).
type Targets struct {
	Modules Names
	Exclude Names // wins over Modules
	// Layers keeps only modules of these blocks, by the first number in the path. As in PEFT, a list entry
	// that is a whole path is kept whatever its block, and a regular expression cannot go with it. Unlike
	// PEFT, "all-linear" can.
	Layers []int
	// LayersPattern names the path element before the block's number ("layers", "h"); without it any will do.
	LayersPattern []string
	// Saved are names of modules that are trained as a whole, which with everything inside them are no targets.
	Saved []string
}

// Picked is what a choice takes in.
type Picked struct {
	Embedding *nn.Embedding // the token embedding; nil if it is not picked
	Linears   []*nn.Linear  // in the host's order
}

// Select picks the layers for a new adapter, in the host's order. A list entry that matches nothing is an
// error even when others match: it is a slip, and PEFT would train without it and not say so.
func (t Targets) Select(h Host) ([]*nn.Linear, error) {
	if err := t.checkEntries(h); err != nil {
		return nil, err
	}
	return t.Match(h)
}

// SelectAny is Select for a method that can also change the token embedding, and a head apart from the embedding that it shares its
// weight with.
func (t Targets) SelectAny(h Host) (Picked, error) {
	if err := t.checkEntries(h); err != nil {
		return Picked{}, err
	}
	return t.MatchAny(h)
}

// Match picks the layers of an adapter that exists already, in the host's order. Adapters are often saved
// with names that only other bases have, so only a choice of nothing at all is an error.
func (t Targets) Match(h Host) ([]*nn.Linear, error) {
	p, err := t.match(h, nil)
	if err != nil {
		return nil, err
	}
	for _, l := range p.Linears {
		if l.Head && l.Tied {
			return nil, fmt.Errorf("targets: %q shares its weight with the embedding in this base and cannot be a target: "+
				"merging would change the embedding too", l.Name)
		}
	}
	return p.Linears, nil
}

// MatchAny is Match for a method that SelectAny is for.
func (t Targets) MatchAny(h Host) (Picked, error) { return t.match(h, h.Stack().Embed) }

// match picks layers and, if the method can change it, the embedding.
func (t Targets) match(h Host, embed *nn.Embedding) (Picked, error) {
	var p Picked
	if err := t.Validate(); err != nil {
		return p, err
	}
	m, err := t.matcher()
	if err != nil {
		return p, err
	}
	if embed != nil && !t.Modules.isAllLinear() {
		ok, err := m.picks(embed.Name, false)
		if err != nil {
			return p, err
		}
		if ok {
			p.Embedding = embed
		}
	}
	if err := m.refuseEmbeddings(h, p.Embedding); err != nil {
		return p, err
	}
	for _, l := range h.Linears() {
		ok, err := m.picks(l.Name, l.Head)
		if err != nil {
			return p, err
		}
		if ok {
			p.Linears = append(p.Linears, l)
		}
	}
	if len(p.Linears) == 0 && p.Embedding == nil {
		return p, t.nothing(h)
	}
	return p, nil
}

// Validate reports what is wrong with t whatever the base, joined, each as `key: what is wrong`.
func (t Targets) Validate() error {
	var errs []error
	if t.Modules.Empty() {
		errs = append(errs, errors.New("targets: names no module; use all-linear, a list of names or a regular expression"))
	}
	for _, n := range []struct {
		key   string
		names Names
	}{{"targets", t.Modules}, {"exclude", t.Exclude}} {
		if n.names.Expr == "" {
			continue
		}
		if _, err := WholePattern(n.names.Expr); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.key, err))
		}
	}
	if len(t.Layers) > 0 && t.Modules.Expr != "" && !t.Modules.isAllLinear() {
		errs = append(errs, errors.New("layers: cannot go with a regular expression in targets; name the layers in the expression"))
	}
	for _, l := range t.Layers {
		if l < 0 {
			errs = append(errs, fmt.Errorf("layers: must be 0 or more, got %d", l))
		}
	}
	return errors.Join(errs...)
}

// checkEntries reports the list entries of Modules that fit no layer of the host.
func (t Targets) checkEntries(h Host) error {
	var errs []error
	for _, entry := range t.Modules.List {
		fits := func(l *nn.Linear) bool { return isOrEndsIn(l.Name, entry) }
		if !slices.ContainsFunc(h.Linears(), fits) && !isEmbedding(h, entry) {
			errs = append(errs, fmt.Errorf("targets: no linear layer is named %q%s", entry, hint(entry, h)))
		}
	}
	return errors.Join(errs...)
}

// nothing is the error of a choice that leaves no layer.
func (t Targets) nothing(h Host) error {
	all := Targets{Modules: t.Modules}
	if m, err := t.matcher(); err == nil && len(t.Saved) > 0 {
		m.t.Saved = nil
		for _, l := range h.Linears() {
			if ok, _ := m.picks(l.Name, l.Head); ok {
				return fmt.Errorf("targets: %v fits only layers in save_modules %v, which are trained as a whole", t.Modules, t.Saved)
			}
		}
	}
	if m, err := all.matcher(); err == nil {
		for _, l := range h.Linears() {
			if ok, _ := m.picks(l.Name, l.Head); ok {
				return fmt.Errorf("targets: %v fits layers, but exclude %v and layers %v leave none of them", t.Modules, t.Exclude, t.Layers)
			}
		}
	}
	if t.Modules.Expr != "" {
		return fmt.Errorf("targets: no linear layer matches the regular expression %q as a whole path (such as %q)%s",
			t.Modules.Expr, firstPath(h), hint(t.Modules.Expr, h))
	}
	return fmt.Errorf("targets: no linear layer is named as in %v%s", t.Modules, hint(strings.Join(t.Modules.List, ","), h))
}

// hint lists the names the host has, after the nearest one if one is close.
func hint(word string, h Host) string {
	leaves := leafNames(h)
	s := ""
	if near := suggest.Nearest(word[strings.LastIndexByte(word, '.')+1:], leaves); near != "" {
		s = fmt.Sprintf("; did you mean %q?", near)
	}
	return s + " (have: " + strings.Join(leaves, ", ") + ")"
}

// leafNames are the last elements of the host's module paths, each once, in the host's order.
func leafNames(h Host) []string {
	var leaves []string
	for _, l := range h.Linears() {
		leaf := l.Name[strings.LastIndexByte(l.Name, '.')+1:]
		if !slices.Contains(leaves, leaf) {
			leaves = append(leaves, leaf)
		}
	}
	return leaves
}

func firstPath(h Host) string {
	if ls := h.Linears(); len(ls) > 0 {
		return ls[0].Name
	}
	return ""
}

// embeddings are the paths of the host's embeddings, of tokens and of positions.
func embeddings(h Host) []string {
	var paths []string
	for _, e := range h.Stack().Embeddings() {
		paths = append(paths, e.Name)
	}
	return paths
}

// isEmbedding reports whether a list entry means an embedding of the host.
func isEmbedding(h Host, entry string) bool {
	return slices.ContainsFunc(embeddings(h), func(path string) bool { return isOrEndsIn(path, entry) })
}

// refuseEmbeddings is an error when the choice takes in an embedding of the host other than the one that is picked; PEFT has a
// LoRA of its own kind for them. They are no layers of the host, so without this they would be passed over in silence.
func (m *matcher) refuseEmbeddings(h Host, picked *nn.Embedding) error {
	if m.t.Modules.isAllLinear() {
		return nil
	}
	for _, path := range embeddings(h) {
		if picked != nil && picked.Name == path {
			continue
		}
		if ok, err := m.picks(path, false); err != nil || ok {
			return cmp.Or(err, fmt.Errorf("targets: %q is an embedding; only linear layers can be targets", path))
		}
	}
	return nil
}

// FanInFanOut is what PEFT writes under that name for an adapter's modules, of which linear gives the layers: whether one of them has its
// weight transposed.
func FanInFanOut[M any](modules []M, linear func(M) *nn.Linear) bool {
	return slices.ContainsFunc(modules, func(m M) bool { return linear(m).Transposed })
}

func isOrEndsIn(path, name string) bool { return path == name || strings.HasSuffix(path, "."+name) }

// matcher is a compiled Targets.
type matcher struct {
	t                Targets
	modules, exclude *Pattern // nil unless the Names is an expression
	blocks           []*regexp.Regexp
}

// anyBlock finds the first path element that is a number and not among the first two elements, as PEFT does.
var anyBlock = regexp.MustCompile(`^.*?\.[^.]*\.(\d+)\.`)

func (t Targets) matcher() (*matcher, error) {
	m := &matcher{t: t}
	var err error
	if t.Modules.Expr != "" && !t.Modules.isAllLinear() {
		if m.modules, err = WholePattern(t.Modules.Expr); err != nil {
			return nil, fmt.Errorf("targets: %w", err)
		}
	}
	if t.Exclude.Expr != "" {
		if m.exclude, err = WholePattern(t.Exclude.Expr); err != nil {
			return nil, fmt.Errorf("exclude: %w", err)
		}
	}
	if len(t.LayersPattern) == 0 {
		m.blocks = []*regexp.Regexp{anyBlock}
	}
	for _, p := range t.LayersPattern {
		re, err := regexp.Compile(`^(?:|.*?\.)(?:` + p + `)\.(\d+)\.`)
		if err != nil {
			return nil, fmt.Errorf("layers_pattern: %w", err)
		}
		m.blocks = append(m.blocks, re)
	}
	return m, nil
}

// picks reports whether the module at path is a target; head says that it is the output head.
func (m *matcher) picks(path string, head bool) (bool, error) {
	for _, name := range m.t.Saved {
		if strings.Contains("."+path+".", "."+name+".") {
			return false, nil
		}
	}
	out, err := named(m.t.Exclude, m.exclude, path)
	if err != nil || out {
		return false, err
	}
	if m.t.Modules.isAllLinear() {
		return !head && m.inBlocks(path), nil
	}
	in, err := named(m.t.Modules, m.modules, path)
	if err != nil || !in {
		return false, err
	}
	return m.modules != nil || slices.Contains(m.t.Modules.List, path) || m.inBlocks(path), nil
}

// named reports whether n, whose compiled expression is re, picks the path.
func named(n Names, re *Pattern, path string) (bool, error) {
	if re != nil {
		return re.Match(path)
	}
	return slices.ContainsFunc(n.List, func(name string) bool { return isOrEndsIn(path, name) }), nil
}

// inBlocks reports whether the path lies in one of the wanted blocks.
func (m *matcher) inBlocks(path string) bool {
	if len(m.t.Layers) == 0 {
		return true
	}
	for _, re := range m.blocks {
		if found := re.FindStringSubmatch(path); found != nil {
			block, err := strconv.Atoi(found[1])
			return err == nil && slices.Contains(m.t.Layers, block)
		}
	}
	return false
}
