package cmd

import (
	"fmt"

	"ft/internal/profile"
	"ft/internal/ui"
)

// tellProfile writes where the time went, and puts it into run.json.
func (t *training) tellProfile() error {
	rows := profile.Read()
	if rows == nil {
		return nil
	}
	if t.run.Info.Times == nil {
		t.run.Info.Times = map[string]float64{}
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		t.run.Info.Times[r.Stage] = r.Seconds
		cells[i] = []string{r.Stage, ui.Count(int(r.Calls)), fmt.Sprintf("%.3f", r.Seconds), fmt.Sprintf("%.1f %%", 100*r.Share)}
		if r.Calls == 0 {
			cells[i][1] = "-"
		}
	}
	return ui.Table(t.streams.Err, []string{"stage", "calls", "seconds", "share"}, cells)
}
