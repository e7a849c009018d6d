package review

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ft/internal/chart"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Server serves the page and takes the votes.
type Server struct {
	// Name is the run's, the page's heading.
	Name  string
	pairs *Pairs
	seed  uint64
	store *store
	token string
	page  chart.Page
	now   func() time.Time
}

// NewServer serves pairs and appends votes to the file at path. The caller closes it.
func NewServer(name string, pairs *Pairs, path string, seed uint64) (*Server, error) {
	st, err := openStore(path)
	if err != nil {
		return nil, err
	}
	page := chart.NewPageOf(pageStyle, pageScript)
	return &Server{Name: name, pairs: pairs, seed: seed, store: st, token: rand.Text(), page: page, now: time.Now}, nil
}

// Close closes the file of votes.
func (s *Server) Close() error { return s.store.close() }

// Path is the page's path. Its random part keeps other pages that are open in the same browser from guessing it.
func (s *Server) Path() string { return "/" + s.token + "/" }

// Summary sums up the votes so far.
func (s *Server) Summary() *Summary { return Summarise(s.pairs, s.store.all()) }

// Handler answers requests that come to the given port of this machine. One that names another host is refused: a page elsewhere may
// have had its name point here (DNS rebinding).
func (s *Server) Handler(port int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+s.Path()+"{$}", s.servePage)
	mux.HandleFunc("GET "+s.Path()+"next", s.serveNext)
	mux.HandleFunc("POST "+s.Path()+"vote", s.serveVote)
	mux.HandleFunc("GET "+s.Path()+"summary", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Summary()) })
	hosts := []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		origin := r.Header.Get("Origin")
		if !slices.Contains(hosts, r.Host) || origin != "" && origin != "http://"+r.Host {
			http.Error(w, "this page is served to this machine alone", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", s.page.Policy+"; connect-src 'self'; frame-ancestors 'none'")
	pageTemplate.Execute(w, struct { // an error is one of the connection
		Name string
		Page chart.Page
	}{s.Name, s.page})
}

// question is what a reader sees. Neither row nor sides can be told from it.
type question struct {
	Number    int    `json:"number"` // in this reader's order
	Prompt    string `json:"prompt"`
	Reference string `json:"reference"`
	Left      string `json:"left"`
	Right     string `json:"right"`
	Vote      *seen  `json:"vote"` // this reader's own, if there is one
}

// seen is a vote as its reader gave it.
type seen struct {
	Better   string `json:"better"` // left, right or tie
	Accuracy [2]int `json:"accuracy"`
	Fluency  [2]int `json:"fluency"`
}

// state is the answer to a reader who asks how to go on.
type state struct {
	Total    int       `json:"total"`
	Done     int       `json:"done"`
	Question *question `json:"question"` // nil when all are judged
}

// stateOf is a reader's state, at the question of the given number, or for -1 at the first one without a vote.
func (s *Server) stateOf(rater string, number int) state {
	votes := map[string]Vote{}
	kept, _ := counted(s.pairs, s.store.all())
	for _, v := range kept {
		if v.Rater == rater {
			votes[v.ID] = v
		}
	}
	out := state{Total: len(s.pairs.List), Done: len(votes)}
	for i, at := range s.pairs.order(s.seed, rater) {
		p := &s.pairs.List[at]
		v, has := votes[p.ID]
		if number != i && (number >= 0 || has) {
			continue
		}
		q := &question{Number: i, Prompt: p.Prompt, Reference: p.Reference, Left: p.Base, Right: p.Tuned}
		left := tunedLeft(s.seed, rater, p.ID)
		if left {
			q.Left, q.Right = q.Right, q.Left
		}
		if has {
			q.Vote = shown(v, left)
		}
		out.Question = q
		break
	}
	return out
}

// shown is a vote in the words of the page.
func shown(v Vote, tunedLeft bool) *seen {
	sides := func(r Ratings) [2]int {
		if tunedLeft {
			return [2]int{r.Tuned, r.Base}
		}
		return [2]int{r.Base, r.Tuned}
	}
	out := &seen{Better: Tie, Accuracy: sides(v.Accuracy), Fluency: sides(v.Fluency)}
	switch {
	case v.Better == Tie:
	case (v.Better == Tuned) == tunedLeft:
		out.Better = "left"
	default:
		out.Better = "right"
	}
	return out
}

func (s *Server) serveNext(w http.ResponseWriter, r *http.Request) {
	rater, err := raterName(r.URL.Query().Get("rater"))
	if err != nil {
		refuse(w, err)
		return
	}
	number := -1
	if at := r.URL.Query().Get("number"); at != "" {
		if _, err := fmt.Sscanf(at, "%d", &number); err != nil || number < 0 || number >= len(s.pairs.List) {
			refuse(w, fmt.Errorf("number: there is no question %q", at))
			return
		}
	}
	reply(w, http.StatusOK, s.stateOf(rater, number))
}

// ballot is a vote as the page sends it.
type ballot struct {
	Rater  string `json:"rater"`
	Number int    `json:"number"`
	seen
}

// maxBallot bounds a ballot in bytes.
const maxBallot = 4096

func (s *Server) serveVote(w http.ResponseWriter, r *http.Request) {
	// A form of another page cannot send this type without asking first.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, errors.New("expected Content-Type: application/json"))
		return
	}
	var b ballot
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBallot))
	d.DisallowUnknownFields()
	err := d.Decode(&b)
	if err == nil {
		_, err = d.Token()
		if err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("more than one vote")
		}
	}
	var v Vote
	if err == nil {
		v, err = s.resolve(b)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if err := s.store.add(v); err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"error": "the vote could not be written: " + err.Error()})
		return
	}
	reply(w, http.StatusOK, s.stateOf(v.Rater, -1))
}

// resolve turns a ballot's sides into models.
func (s *Server) resolve(b ballot) (Vote, error) {
	rater, err := raterName(b.Rater)
	if err != nil {
		return Vote{}, err
	}
	if b.Number < 0 || b.Number >= len(s.pairs.List) {
		return Vote{}, fmt.Errorf("number: there is no question %d", b.Number)
	}
	p := &s.pairs.List[s.pairs.order(s.seed, rater)[b.Number]]
	left := tunedLeft(s.seed, rater, p.ID)
	models := func(sides [2]int) Ratings {
		if left {
			return Ratings{Tuned: sides[0], Base: sides[1]}
		}
		return Ratings{Base: sides[0], Tuned: sides[1]}
	}
	v := Vote{
		Time: s.now().UTC().Truncate(time.Millisecond), Rater: rater, ID: p.ID, Hash: p.hash(), Left: Base,
		Better: Tie, Accuracy: models(b.Accuracy), Fluency: models(b.Fluency),
	}
	if left {
		v.Left = Tuned
	}
	switch b.Better {
	case Tie:
	case "left", "right":
		if v.Better = Base; (b.Better == "left") == left {
			v.Better = Tuned
		}
	default:
		return Vote{}, fmt.Errorf("better: expected left, right or tie, found %q", b.Better)
	}
	return v, v.check()
}

// maxName bounds a reader's name in characters.
const maxName = 40

// raterName is a reader's name, written one way.
func raterName(name string) (string, error) {
	name = strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	switch n := len([]rune(name)); {
	case n == 0:
		return "", errors.New("rater: a name is needed, so that votes can be told apart")
	case n > maxName:
		return "", fmt.Errorf("rater: the name has %d characters, %d fit", n, maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("rater: the name has characters that cannot be shown")
	}
	return name, nil
}

func refuse(w http.ResponseWriter, err error) {
	reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error is one of the connection
}
