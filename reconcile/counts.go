package reconcile

// Counts is what has happened to one rule since this process knows it. A check
// or reload that several rules share counts for each of them.
type Counts struct {
	Changes        uint64 `json:"changes"`         // passes that changed files, and left them changed
	Checks         uint64 `json:"checks"`          // check commands run
	CheckFailures  uint64 `json:"check_failures"`  // of these, those that failed
	Reloads        uint64 `json:"reloads"`         // reload commands run
	ReloadFailures uint64 `json:"reload_failures"` // of these, those that failed
	VerifyFailures uint64 `json:"verify_failures"` // reloads that succeeded, but the service did not take the files in
	Rollbacks      uint64 `json:"rollbacks"`       // changes in place that were undone
	Told           uint64 `json:"told"`            // changes that a running service was told of, without a reload
	Drifts         uint64 `json:"drifts"`          // times that somebody else's change to a file was found
}

// add adds what one pass counted.
func (c *Counts) add(o Counts) {
	c.Changes += o.Changes
	c.Checks += o.Checks
	c.CheckFailures += o.CheckFailures
	c.Reloads += o.Reloads
	c.ReloadFailures += o.ReloadFailures
	c.VerifyFailures += o.VerifyFailures
	c.Rollbacks += o.Rollbacks
	c.Told += o.Told
	c.Drifts += o.Drifts
}

// one is 1 if it happened, to be added.
func one(happened bool) uint64 {
	if happened {
		return 1
	}
	return 0
}
