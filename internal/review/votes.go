package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"ft/internal/plainjson"
)

// File is the name of the votes in a run's directory.
const File = "votes.jsonl"

// What a vote may choose.
const (
	Base  = "base"
	Tuned = "tuned"
	Tie   = "tie"
)

// Ratings are marks of both answers, 1 to 5.
type Ratings struct {
	Base  int `json:"base"`
	Tuned int `json:"tuned"`
}

// Vote is a line of votes.jsonl. A reader's last vote on a question counts.
type Vote struct {
	Time     time.Time `json:"time"`
	Rater    string    `json:"rater"`
	ID       string    `json:"id"`   // of the row
	Hash     string    `json:"hash"` // of question and answers; a vote on other answers does not count
	Better   string    `json:"better"`
	Left     string    `json:"left"` // whose answer stood on the left, or above
	Accuracy Ratings   `json:"accuracy"`
	Fluency  Ratings   `json:"fluency"`
}

func (v *Vote) check() error {
	if !slices.Contains([]string{Base, Tuned, Tie}, v.Better) {
		return fmt.Errorf("better: expected %s, %s or %s, found %q", Base, Tuned, Tie, v.Better)
	}
	for name, n := range map[string]int{"accuracy": min(v.Accuracy.Base, v.Accuracy.Tuned), "fluency": min(v.Fluency.Base, v.Fluency.Tuned)} {
		if n < 1 {
			return fmt.Errorf("%s: expected marks from 1 to 5", name)
		}
	}
	if max(v.Accuracy.Base, v.Accuracy.Tuned, v.Fluency.Base, v.Fluency.Tuned) > 5 {
		return errors.New("expected marks from 1 to 5")
	}
	if v.Rater == "" || v.ID == "" {
		return errors.New("no rater or no id")
	}
	return nil
}

// ReadVotes reads a file of votes; none if there is no file. A last line without its end, which a crash left, is passed over.
func ReadVotes(path string) ([]Vote, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	var votes []Vote
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return votes, nil
		}
		data = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var v Vote
		err := json.Unmarshal(line, &v)
		if err == nil {
			err = v.check()
		}
		if err != nil {
			return nil, fmt.Errorf("review: %s:%d: not a vote: %w", path, n, err)
		}
		votes = append(votes, v)
	}
}

// store keeps the votes on the disk and in memory.
type store struct {
	mu    sync.Mutex
	f     *os.File
	votes []Vote
}

// openStore opens a file of votes to go on with it. What a crash left of a last line is cut off.
func openStore(path string) (*store, error) {
	votes, err := ReadVotes(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	data, err := os.ReadFile(path)
	if err == nil {
		end := int64(bytes.LastIndexByte(data, '\n') + 1)
		if err = f.Truncate(end); err == nil {
			_, err = f.Seek(end, 0)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("review: %s: %w", path, err)
	}
	return &store{f: f, votes: votes}, nil
}

// add puts a vote on the disk, and counts it only when it is there. A line that could not be written whole is taken back.
func (s *store) add(v Vote) error {
	line, err := plainjson.Marshal(v, "")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := s.f.Seek(0, 1)
	if err != nil {
		return err
	}
	if _, err = s.f.Write(line); err == nil {
		err = s.f.Sync()
	}
	if err != nil {
		return errors.Join(err, s.f.Truncate(before), seek(s.f, before))
	}
	s.votes = append(s.votes, v)
	return nil
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, 0)
	return err
}

// all are the votes so far.
func (s *store) all() []Vote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.votes)
}

func (s *store) close() error { return s.f.Close() }
