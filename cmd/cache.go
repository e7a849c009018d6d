package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"ft/dataset"
	"ft/internal/profile"
	"ft/internal/tokencache"
)

// cacheDir is the folder for what can be made again at any time: FT_CACHE_DIR, else ft in the user's cache folder; empty if there
// is none.
func cacheDir() string {
	if dir := os.Getenv("FT_CACHE_DIR"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ft")
}

// cached is the data of the run out of the cache; nil if it is not there. After it p.cache is nil unless data may be stored.
func (p *prepared) cached() *tokencache.Data {
	dir := cacheDir()
	text, ok := p.session.base.TextHash()
	if dir == "" || !ok {
		return nil
	}
	cache := tokencache.Open(dir)
	key, err := cache.Key(p.config.Data, text)
	if err != nil {
		return nil // reading the files will tell it better
	}
	p.cache, p.key = cache, key
	return cache.Load(key)
}

// openSame opens a data file. When it is not what the key was made of, nothing will be stored.
func (p *prepared) openSame(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil || p.cache == nil {
		return f, err
	}
	return &hashedFile{File: f, hash: sha256.New(), done: func(sum string) {
		if sum != p.key.Sums[name] {
			p.cache = nil
		}
	}}, nil
}

// hashedFile is a file that tells the hash of its content when it is closed. It is read from begin to end, or anywhere.
type hashedFile struct {
	*os.File
	hash     hash.Hash
	anywhere bool
	done     func(sum string)
}

func (f *hashedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.hash.Write(p[:n])
	return n, err
}

func (f *hashedFile) ReadAt(p []byte, at int64) (int, error) {
	f.anywhere = true
	return f.File.ReadAt(p, at)
}

func (f *hashedFile) Close() error {
	if f.anywhere {
		f.hash.Reset()
		f.File.Seek(0, io.SeekStart) // where it fails another hash comes out
	}
	io.Copy(f.hash, struct{ io.Reader }{f.File})
	f.done(hex.EncodeToString(f.hash.Sum(nil)))
	return f.File.Close()
}

// makeData reads, splits and tokenizes the rows, and puts the outcome into the cache while the run goes on.
func (p *prepared) makeData() error {
	span := profile.Start(profile.Data)
	defer func() { span.Stop() }()
	from := rowSource()
	from.Open = p.openSame
	d, err := loadData(p.config.Data, from)
	if err != nil {
		return err
	}
	defer d.close()
	if err := dataset.CheckLeaks(d.parts, p.config.Data.Split, d.report); err != nil {
		return err
	}
	span = span.Then(profile.Tokenize)
	b := tokencache.NewBuilder(cacheDir())
	defer b.Close()
	var train, val dataset.Meter
	if err := encodeParts(d, p.config.Data, p.session.format, metered(&train, b.Train), metered(&val, b.Val)); err != nil {
		return err
	}
	if d.parts.Test, err = p.session.format.Answerable(d.parts.Test, p.config.Data, d.report); err != nil {
		return err
	}
	d.report.Lengths = map[string]dataset.Lengths{"train": train.Lengths(), "val": val.Lengths()}
	span = span.Then(profile.Data)
	if p.data != nil { // damaged
		p.data.Close()
	}
	if p.data, err = b.Data(d.parts, d.report); err != nil {
		return err
	}
	if len(inputPaths(d.report, p.config.Data)) != len(p.key.Sums) { // files have come or gone
		p.cache = nil
	}
	if p.cache == nil {
		return nil
	}
	data := p.data
	p.background.Go(func() {
		if err := p.cache.Store(p.key, data); err != nil {
			p.streams.Detail("the tokens are not kept for the next run: %v", err)
		}
	})
	return nil
}

// metered is a sink whose samples are measured on the way.
func metered(m *dataset.Meter, sink func(dataset.Sample) error) func(dataset.Sample) error {
	return func(s dataset.Sample) error {
		m.Add(s)
		return sink(s)
	}
}

// inputPaths are the files that a run's rows and split come from.
func inputPaths(r *dataset.Report, c dataset.Config) []string {
	var paths []string
	for _, f := range r.Files {
		paths = append(paths, f.Name)
	}
	if c.Split.Manifest != "" {
		paths = append(paths, c.Split.Manifest)
	}
	return paths
}

// encodeParts tokenizes the parts that training sees and gives their samples to train and val, in order.
func encodeParts(d *data, c dataset.Config, f dataset.Format, train, val func(dataset.Sample) error) error {
	for _, part := range []struct {
		name string
		rows dataset.View
		sink func(dataset.Sample) error
	}{{"train", d.parts.Train, train}, {"val", d.parts.Val, val}} {
		left := 0
		err := dataset.Encode(part.rows, c, f, d.report, func(s dataset.Sample) error {
			left++
			return part.sink(s)
		})
		if err != nil {
			return err
		}
		if left == 0 && (part.rows.Len() > 0 || part.name == "train") {
			return fmt.Errorf("dataset: no sample is left of the %d rows of the %s part (%s); raise data.max_tokens (now %d) or set data.too_long: cut",
				part.rows.Len(), part.name, dropped(d.report), c.MaxTokens)
		}
	}
	return nil
}

// close waits for what runs beside, and releases base and data.
func (p *prepared) close() {
	p.background.Wait()
	if p.data != nil {
		p.data.Close()
	}
	p.session.close()
}
