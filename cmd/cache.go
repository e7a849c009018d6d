package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// readSame reads a data file. When it is not what the key was made of, nothing will be stored.
func (p *prepared) readSame(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if p.cache == nil || err != nil {
		return data, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.key.Sums[name] {
		p.cache = nil
	}
	return data, nil
}

// makeData reads, splits and tokenizes the rows, and puts the outcome into the cache while the run goes on.
func (p *prepared) makeData() error {
	span := profile.Start(profile.Data)
	defer func() { span.Stop() }()
	d, err := loadData(p.config.Data, p.readSame)
	if err != nil {
		return err
	}
	span = span.Then(profile.Tokenize)
	train, val, err := encodeParts(d, p.config.Data, p.session.format)
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

// encodeParts tokenizes the parts that training sees.
func encodeParts(d *data, c dataset.Config, f dataset.Format) (train, val []dataset.Sample, err error) {
	if train, err = dataset.Encode(d.parts.Train, c, f, d.report); err != nil {
		return nil, nil, err
	}
	if val, err = dataset.Encode(d.parts.Val, c, f, d.report); err != nil {
		return nil, nil, err
	}
	for _, part := range []struct {
		name string
		rows int
		left int
	}{{"train", d.parts.Train.Len(), len(train)}, {"val", d.parts.Val.Len(), len(val)}} {
		if part.left == 0 && (part.rows > 0 || part.name == "train") {
			return nil, nil, fmt.Errorf("dataset: no sample is left of the %d rows of the %s part (%s); raise data.max_tokens (now %d) or set data.too_long: cut",
				part.rows, part.name, dropped(d.report), c.MaxTokens)
		}
	}
	return train, val, nil
}

// close waits for what runs beside, and releases base and data.
func (p *prepared) close() {
	p.background.Wait()
	if p.data != nil {
		p.data.Close()
	}
	p.session.close()
}
