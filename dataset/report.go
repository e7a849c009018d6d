package dataset

// Report tells what the stages left out and what they noticed. The zero value is not ready; Load makes one.
type Report struct {
	Rows    int            `json:"rows"`    // rows in the files
	Kept    int            `json:"kept"`    // rows not dropped so far
	Dropped map[string]int `json:"dropped"` // rows left out, by reason
	// Notes counts what is used all the same but worth a look, by reason.
	Notes map[string]int `json:"notes"`
	// IDs are the rows of every reason in Dropped and Notes, in the order met. The ids of group_on_two_sides
	// are names of groups.
	IDs map[string][]string `json:"ids"`
	// Of are the ids of the earlier rows that rows of the reasons duplicate, near_duplicate and conflicting_answer repeat or
	// contradict, in the order of IDs.
	Of map[string][]string `json:"of,omitempty"`
	// Languages counts the rows by language, as far as one could be told.
	Languages map[string]int `json:"languages,omitempty"`
	// Lengths are those of the samples of train and val, once a run has tokenized them.
	Lengths map[string]Lengths `json:"lengths,omitempty"`
	// Leaks are what the parts share; nil before CheckLeaks.
	Leaks *Leaks `json:"leaks,omitempty"`
	// Files are the files that were read, Skipped the ones of folders and patterns that were not, each as `file: why`.
	Files   []FileInfo `json:"files"`
	Skipped []string   `json:"skipped,omitempty"`
	// BadRows tell of rows that could not be used, each as `file:line: why`, up to maxBadRows of them.
	BadRows []string `json:"bad_rows,omitempty"`
}

// FileInfo is what was found out about a file.
type FileInfo struct {
	Name        string `json:"name"`
	Format      string `json:"format"`                // json, jsonl, csv, tsv, parquet or text
	Encoding    string `json:"encoding,omitempty"`    // of text
	Compression string `json:"compression,omitempty"` // gzip or zstd
	Rows        int    `json:"rows"`
	Bad         int    `json:"bad,omitempty"` // of them, could not be used
}

// Bounds of what a report lists; it counts all.
const (
	maxIDs     = 100_000 // of each reason
	maxBadRows = 1000
)

// The reasons in a Report. The first block is Dropped, the second Notes.
const (
	badRow          = "bad_row"          // cannot be read as a row, and data.bad_rows is drop
	cutOff          = "cut_off"          // the file ends in the middle of one of its characters
	missingQuestion = "missing_question" // no text to answer
	missingAnswer   = "missing_answer"   // null, empty or white space
	duplicate       = "duplicate"        // question and answer of an earlier row
	// Dropped or Notes, as the config says:
	nearDuplicate = "near_duplicate"     // nearly question and answer of an earlier row
	conflict      = "conflicting_answer" // an earlier row answers the question in another way
	lengthOutlier = "length_outlier"     // far longer or shorter than most
	otherLanguage = "other_language"     // few rows are in this one
	email         = "email"              // has an e-mail address
	phone         = "phone"              // has a phone number
	idNumber      = "id_number"          // has a number of an identity card, of social security or of a payment card

	notInManifest = "not_in_manifest" // no part of the given manifest lists it
	tooLong       = "too_long"        // more than max_tokens
	noLabel       = "no_label"        // no token counts in the loss

	textFixed       = "text_fixed"              // control characters, stray marks or mojibake were repaired
	textBroken      = "text_broken"             // such damage is there
	cut             = "cut"                     // was longer than max_tokens, and was cut
	turnsTooLong    = "turns_too_long"          // some of its turns, which are samples of their own, are longer than max_tokens and left out
	turnsApart      = "turns_apart"             // its turns are samples of their own, because the template rewrites earlier turns
	toolsIgnored    = "tools_ignored"           // it has tools or calls of them, and the template leaves them out
	specialText     = "special_text"            // the row's own text spells a special token, such as <|im_end|>
	turnsAfter      = "turns_after_answer"      // turns behind the last assistant turn were ignored
	groupInStrata   = "group_in_several_strata" // rows of one group have several values of split.stratify
	groupOnTwoSides = "group_on_two_sides"      // a given manifest puts one group into several parts
	dropInManifest  = "dropped_but_listed"      // a given manifest lists a row that cleaning dropped
)

func newReport(rows int) *Report {
	return &Report{
		Rows: rows, Kept: rows,
		Dropped: map[string]int{}, Notes: map[string]int{}, IDs: map[string][]string{}, Of: map[string][]string{}, Languages: map[string]int{},
	}
}

func (r *Report) drop(reason, id string) {
	r.Kept--
	r.Dropped[reason]++
	r.list(reason, id)
}

func (r *Report) note(reason, id string) {
	r.Notes[reason]++
	r.list(reason, id)
}

func (r *Report) list(reason, id string) {
	if ids := r.IDs[reason]; len(ids) < maxIDs {
		r.IDs[reason] = append(ids, id)
	}
}

// tellBad lists a row that could not be used.
func (r *Report) tellBad(err error) {
	if len(r.BadRows) < maxBadRows {
		r.BadRows = append(r.BadRows, err.Error())
	}
}
