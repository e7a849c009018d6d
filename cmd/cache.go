package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); p.cache != nil && hex.EncodeToString(sum[:]) != p.key.Sums[name] {
		p.cache = nil
	}
	return io.NopCloser(bytes.NewReader(data)), nil
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
	if err := dataset.CheckLeaks(d.parts, p.config.Data.Split, d.report); err != nil {
		d.close()
		return err
	}
	span = span.Then(profile.Tokenize)
	var train, val []dataset.Sample
	err = encodeParts(d, p.config.Data, p.session.format,
		func(s dataset.Sample) error { train = append(train, s); return nil }, func(s dataset.Sample) error { val = append(val, s); return nil })
	if err != nil {
		return err
	}
	span = span.Then(profile.Data)
	if p.data != nil { // damaged
		p.data.Close()
	}
	data, err := tokencache.FromRows(d.parts, train, val, d.report)
	if err != nil {
		return err
	}
	p.data = data
	if p.cache == nil {
		return nil
	}
	p.background.Go(func() {
		if err := p.cache.Store(p.key, data); err != nil {
			p.streams.Detail("the tokens are not kept for the next run: %v", err)
		}
	})
	return nil
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
