// Package chat renders the Jinja templates that lay out a conversation for a model, as Hugging Face's
// apply_chat_template does: Jinja2 with trim_blocks and lstrip_blocks, loop controls, the generation tag,
// tojson without escapes, raise_exception and strftime_now.
//
// Evaluation is github.com/ardanlabs/jinja's. Where that differs from Jinja2, the template is rewritten
// before it is compiled (see rewrite.go): white space is settled by a lexer here, so that the engine
// sees tags only; printing, methods and many filters go to functions of this package; a variable set in a loop is
// forgotten at the next turn; and loops, macros and output have a budget, so a template cannot run
// away.
//
// Known differences from Jinja2: tuples are lists; ** gives a float; comparisons and in do not fail on undefined
// or None; recursive loops, include, import, with, do and tuple assignment are refused.
package chat
