package chat

import (
	"fmt"
	"slices"
	"strings"
)

// The names the rewritten template uses begin with this.
const own = "ft_"

// rewriter turns the tags of a Jinja2 template into a template the engine evaluates as Jinja2 would:
//
//   - text becomes a printed string, so the engine has no white space to decide about;
//   - {{ x }} becomes {{ ft_print(x) }}, which prints None, floats, lists and so on as Python does;
//   - x | f becomes x | ft_f for the filters of this package; x.m(...) becomes x | ft_m_m(...);
//   - x.a and x[i] become x | ft_item(...), a + b, a ~ b and so on become ft_add(a, b), ft_cat(a, b): these
//     fail on what Python fails on; f(*x) becomes f | ft_spread(x), "is test x" becomes "is test(x)";
//   - a loop starts each turn with the outer values of the variables that its body sets;
//   - loops and macros report to ft_step, ft_enter and ft_leave.
type rewriter struct {
	out     strings.Builder
	methods []string
	loops   int
}

// block is an open statement.
type block struct {
	keyword string
	sets    []string // variables set directly in a loop
	skip    []string // its own variables
	text    int      // bytes of literal text in it
}

// all rewrites tags. Loops need to know what their body sets before they are written, so that is found
// first.
func (r *rewriter) all(tags []tag) error {
	info, err := scanBlocks(tags)
	if err != nil {
		return err
	}
	for i, t := range tags {
		if err := r.tag(t, info[i]); err != nil {
			return fmt.Errorf("line %d: %w", t.line, err)
		}
	}
	return nil
}

var closers = map[string]string{"endif": "if", "endfor": "for", "endset": "set", "endmacro": "macro", "endcall": "call",
	"endfilter": "filter", "endgeneration": "generation"}

// scanBlocks matches the statements and returns for each opening tag, by its index, what is in it.
func scanBlocks(tags []tag) (map[int]*block, error) {
	info := map[int]*block{}
	var open []*block
	for i, t := range tags {
		if t.kind == tagText {
			for _, b := range open {
				b.text += len(t.text)
			}
		}
		if t.kind != tagBlock {
			continue
		}
		if len(t.toks) == 0 || t.toks[0].kind != tokName {
			return nil, fmt.Errorf("line %d: a statement begins with a name", t.line)
		}
		word := t.toks[0].text
		switch {
		case closers[word] != "":
			if len(open) == 0 || open[len(open)-1].keyword != closers[word] {
				return nil, fmt.Errorf("line %d: unexpected %s", t.line, word)
			}
			open = open[:len(open)-1]
		case word == "set" && len(t.toks) > 1:
			noteSet(open, t.toks)
		}
		if opens(t) {
			b := &block{keyword: word}
			if word == "for" {
				b.skip = names(t.toks[1:max(1, slices.IndexFunc(t.toks, func(k token) bool { return k.name("in") }))])
			}
			info[i] = b
			if open = append(open, b); len(open) > maxDepth {
				return nil, fmt.Errorf("line %d: statements nest more than %d deep", t.line, maxDepth)
			}
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%s is not closed", open[len(open)-1].keyword)
	}
	return info, nil
}

// opens reports whether t begins a block.
func opens(t tag) bool {
	switch t.toks[0].text {
	case "if", "for", "macro", "call", "filter", "generation":
		return true
	case "set":
		return !slices.ContainsFunc(t.toks, func(k token) bool { return k.is("=") })
	}
	return false
}

// noteSet books the variable a set statement assigns with the loop whose turn it belongs to.
func noteSet(open []*block, toks []token) {
	if len(toks) > 2 && toks[2].is(".") {
		return // an attribute of a namespace outlives the turn
	}
	for i := len(open) - 1; i >= 0; i-- {
		b := open[i]
		if b.keyword == "macro" || b.keyword == "call" {
			return
		}
		if b.keyword == "for" {
			if name := toks[1].text; !slices.Contains(b.sets, name) && !slices.Contains(b.skip, name) {
				b.sets = append(b.sets, name)
			}
			return
		}
	}
}

func names(toks []token) []string {
	var list []string
	for _, t := range toks {
		if t.kind == tokName {
			list = append(list, t.text)
		}
	}
	return list
}

func (r *rewriter) tag(t tag, b *block) error {
	switch t.kind {
	case tagText:
		r.out.WriteString("{{ " + quote(t.text) + " }}")
		return nil
	case tagPrint:
		if len(t.toks) == 0 {
			return fmt.Errorf("an expression is missing")
		}
		e, err := r.expr(t.toks)
		r.out.WriteString("{{ " + own + "print(" + e + ") }}")
		return err
	}
	return r.statement(t.toks, b)
}

func (r *rewriter) statement(toks []token, b *block) error {
	word := toks[0].text
	switch word {
	case "set":
		return r.set(toks)
	case "for":
		return r.loop(toks, b)
	case "macro":
		if err := checkMacro(toks); err != nil {
			return err
		}
		err := r.block(toks)
		r.out.WriteString("{% set " + own + "depth = " + own + "enter() %}")
		return err
	case "endmacro":
		r.out.WriteString("{% set " + own + "depth = " + own + "leave() %}")
	case "filter":
		if len(toks) != 2 {
			return fmt.Errorf("a filter block with arguments is not supported")
		}
		r.out.WriteString("{% filter " + toks[1].text + " %}")
		return nil
	case "call":
		if len(toks) > 1 && toks[1].is("(") {
			return r.callWith(toks)
		}
	case "if", "elif", "else", "generation", "break", "continue":
	default:
		if closers[word] == "" {
			return fmt.Errorf("the statement %q is not supported", word)
		}
	}
	return r.block(toks)
}

// callWith writes a call statement whose body takes parameters, which are names.
func (r *rewriter) callWith(toks []token) error {
	end := next(toks, 1)
	e, err := r.expr(toks[end:])
	r.out.WriteString("{% call (" + strings.Join(names(toks[1:end]), ", ") + ") " + e + "%}")
	return err
}

// checkMacro refuses the parameters that the engine would take apart wrongly: * and **, and defaults with
// commas or equals signs in them.
func checkMacro(toks []token) error {
	depth := 0
	for _, t := range toks[1:] {
		switch {
		case t.is("*"), t.is("**"):
			return fmt.Errorf("a macro with * parameters is not supported")
		case t.is("("), t.is("["), t.is("{"):
			depth++
		case t.is(")"), t.is("]"), t.is("}"):
			depth--
		case t.is(",") && depth > 1, t.kind == tokString && strings.ContainsAny(t.text, ",=()"):
			return fmt.Errorf("a macro with such a default value is not supported")
		}
	}
	return nil
}

// block writes a statement, its expressions rewritten.
func (r *rewriter) block(toks []token) error {
	e, err := r.expr(toks[1:])
	r.out.WriteString("{% " + toks[0].text + " " + e + "%}")
	return err
}

func (r *rewriter) set(toks []token) error {
	end := slices.IndexFunc(toks, func(t token) bool { return t.is("=") })
	if end < 0 {
		end = len(toks)
	}
	target := toks[1:end]
	plain := len(target) == 1 && target[0].kind == tokName
	attribute := len(target) == 3 && target[0].kind == tokName && target[1].is(".") && target[2].kind == tokName && end < len(toks)
	if !plain && !attribute {
		return fmt.Errorf("set assigns to one name or namespace attribute, nothing else is supported")
	}
	if attribute { // the engine wants the name in one piece
		e, err := r.expr(toks[end+1:])
		r.out.WriteString("{% set " + target[0].text + "." + target[2].text + " = " + e + "%}")
		return err
	}
	return r.block(toks)
}

// loop writes a for statement between the saving of outer values and their return at each turn.
func (r *rewriter) loop(toks []token, b *block) error {
	if slices.ContainsFunc(toks, func(t token) bool { return t.name("recursive") }) {
		return fmt.Errorf("a recursive loop is not supported")
	}
	in := slices.IndexFunc(toks, func(t token) bool { return t.name("in") })
	if in < 0 {
		return fmt.Errorf("for has no in")
	}
	targets := ""
	for _, t := range toks[1:in] {
		if t.kind != tokName && !t.is(",") {
			return fmt.Errorf("for takes only names before in")
		}
		targets += t.text + " "
	}
	cond := span(toks, in+1, func(t token) bool { return t.name("if") })
	over, err := r.expr(toks[in+1 : cond])
	if err != nil {
		return err
	}
	filter, err := r.expr(toks[cond:])
	if err != nil {
		return err
	}
	r.loops++
	saved := func(name string) string { return fmt.Sprintf("%souter%d_%s", own, r.loops, name) }
	for _, name := range b.sets {
		fmt.Fprintf(&r.out, "{%% set %s = %s %%}", saved(name), name)
	}
	fmt.Fprintf(&r.out, "{%% for %sin %siter ( %s) %s%%}", targets, own, over, filter)
	fmt.Fprintf(&r.out, "{%% set %sturn = %sstep(%d) %%}", own, own, b.text)
	for _, name := range b.sets {
		fmt.Fprintf(&r.out, "{%% set %s = %s %%}", name, saved(name))
	}
	return nil
}
