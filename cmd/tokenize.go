package cmd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ft/internal/ui"
	"ft/tokenizer"
	"ft/weights/gguf"
)

// tokenizeFlags are the flags of ft tokenize.
type tokenizeFlags struct {
	base, tokenizer, file string
	decode, special, json bool
	count                 bool
}

func newTokenizeCmd(s *ui.Streams) *cobra.Command {
	var o tokenizeFlags
	c := &cobra.Command{
		Use:   "tokenize (--base BASE | --tokenizer FILE) [TEXT …]",
		Short: "Turn text into token ids, or ids into text",
		Long: `Turn text into token ids, or with --decode ids into text, as the model's own tokenizer does. Weights are not read.

Each argument is a text; with --decode the arguments are the ids of one text. Without arguments the input is --file, whose
rows are {"text": …} or with --decode {"ids": […]}, or else all of standard input, new lines included. Special tokens that
a text spells are always recognised. --special puts those around a text that the tokenizer adds itself, such as BOS;
--decode spells special tokens out, and --special=false leaves them away.

--count tells how many tokens there are in all, and how fast they were made: all texts are read first, and then tokenized on one
thread. The sum is the CRC-32 of the ids, four bytes each, for comparison with another tokenizer.`,
		Example: `  ft tokenize --base model.gguf "What is asthma?"
  ft tokenize --tokenizer tokenizer.json --file texts.jsonl --json
  ft tokenize --tokenizer tokenizer.json --file texts.jsonl --count
  ft tokenize --tokenizer tokenizer.json --decode 1 2 3`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && o.file != "" {
				return errors.New("--file and texts as arguments exclude each other")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if o.decode && !c.Flags().Changed("special") {
				o.special = true
			}
			return o.run(s, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the model whose tokenizer to use: a directory or a .gguf file")
	f.StringVar(&o.tokenizer, "tokenizer", "", "tokenizer.json, the same gzipped, or a .gguf file")
	f.StringVar(&o.file, "file", "", "JSON lines to read; - is standard input")
	f.BoolVar(&o.decode, "decode", false, "ids to text")
	f.BoolVar(&o.special, "special", false, "add special tokens; with --decode, which keeps them, =false leaves them away")
	f.BoolVar(&o.count, "count", false, "how many tokens, and how many a second, instead of ids")
	f.BoolVar(&o.json, "json", false, "one JSON object a line on stdout")
	c.MarkFlagsMutuallyExclusive("base", "tokenizer")
	c.MarkFlagsMutuallyExclusive("count", "decode")
	c.MarkFlagsOneRequired("base", "tokenizer")
	return c
}

func (o *tokenizeFlags) run(s *ui.Streams, args []string) error {
	t, err := openTokenizer(o.base + o.tokenizer)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(s.Out)
	p := &tokenizing{tokenizeFlags: *o, tokenizer: t, out: w, write: lineWriter(w)}
	switch {
	case o.file != "":
		err = eachRow(o.file, s.In, p.row)
	case o.decode:
		err = p.words(args, s.In)
	default:
		err = p.texts(args, s.In)
	}
	if err == nil && o.count {
		err = p.tell()
	}
	// Rows before a bad one are results all the same.
	return errors.Join(err, w.Flush())
}

// openTokenizer reads the tokenizer of a file or of a model's directory.
func openTokenizer(path string) (*tokenizer.Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	if !isGGUF(path) {
		return tokenizer.Load(path)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tokenizer.FromGGUF(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// isGGUF looks at the first bytes of a file.
func isGGUF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "GGUF"
}

// tokenizing is ft tokenize at work.
type tokenizing struct {
	tokenizeFlags
	tokenizer *tokenizer.Tokenizer
	out       io.Writer
	write     func(v any) error
	counted   []string // texts for --count
}

type encoded struct {
	IDs []int32 `json:"ids"`
}

type decoded struct {
	Text string `json:"text"`
}

// row handles a row of --file.
func (p *tokenizing) row(r jsonRow) error {
	if !p.decode {
		text, err := r.text("text")
		if err != nil {
			return err
		}
		return p.encode(text)
	}
	ids, err := r.ids("ids")
	if err != nil {
		return err
	}
	text, err := p.text(ids)
	if err != nil {
		return r.bad("%w", err)
	}
	if p.json {
		return p.write(decoded{text})
	}
	_, err = fmt.Fprintln(p.out, ui.EscapeLine(text))
	return err
}

// texts encodes each argument, or without any all of in.
func (p *tokenizing) texts(args []string, in io.Reader) error {
	if len(args) == 0 {
		all, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("stdin: %w", err)
		}
		args = []string{string(all)}
	}
	for _, text := range args {
		if err := p.encode(text); err != nil {
			return err
		}
	}
	return nil
}

func (p *tokenizing) encode(text string) error {
	if p.count {
		p.counted = append(p.counted, text)
		return nil
	}
	ids := p.tokenizer.Encode(text, p.special)
	if p.json {
		return p.write(encoded{ids})
	}
	_, err := fmt.Fprintln(p.out, spaced(ids))
	return err
}

// tokenCount is what --count tells.
type tokenCount struct {
	Texts     int     `json:"texts"`
	Bytes     int     `json:"bytes"`
	Tokens    int     `json:"tokens"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"tokens_per_s"`
	Sum       string  `json:"crc32"`
}

// tell tokenizes the texts of --count.
func (p *tokenizing) tell() error {
	c := tokenCount{Texts: len(p.counted)}
	all := make([][]int32, len(p.counted))
	begin := time.Now()
	for i, text := range p.counted {
		all[i] = p.tokenizer.Encode(text, p.special)
	}
	c.Seconds = max(time.Since(begin).Seconds(), 1e-9) // a coarse clock may stand still
	sum := crc32.NewIEEE()
	for i, ids := range all {
		c.Bytes += len(p.counted[i])
		c.Tokens += len(ids)
		binary.Write(sum, binary.LittleEndian, ids) // a hash takes everything
	}
	c.PerSecond, c.Sum = float64(c.Tokens)/c.Seconds, fmt.Sprintf("%08x", sum.Sum32())
	if p.json {
		return p.write(c)
	}
	_, err := fmt.Fprintf(p.out, "%s tokens in %s texts of %s bytes, %s tokens a second, crc32 %s\n",
		ui.Count(c.Tokens), ui.Count(c.Texts), ui.Count(c.Bytes), ui.Count(int(c.PerSecond)), c.Sum)
	return err
}

// words decodes ids given as arguments, or without any those in in. Commas and brackets around them do not matter.
func (p *tokenizing) words(args []string, in io.Reader) error {
	all := strings.Join(args, " ")
	if len(args) == 0 {
		data, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("stdin: %w", err)
		}
		all = string(data)
	}
	var ids []int32
	for _, w := range strings.FieldsFunc(all, func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) }) {
		id, err := strconv.ParseInt(w, 10, 32)
		if err != nil {
			return usageError{fmt.Errorf("%q is not a token id", w)}
		}
		ids = append(ids, int32(id))
	}
	text, err := p.text(ids)
	if err != nil {
		return err
	}
	if p.json {
		return p.write(decoded{text})
	}
	_, err = fmt.Fprintln(p.out, ui.Escape(text))
	return err
}

// text decodes ids, all of which must be in the vocabulary.
func (p *tokenizing) text(ids []int32) (string, error) {
	for _, id := range ids {
		if _, ok := p.tokenizer.Token(id); !ok {
			return "", fmt.Errorf("token id %d is not in the vocabulary of %d", id, p.tokenizer.Size())
		}
	}
	return p.tokenizer.Decode(ids, !p.special), nil
}
