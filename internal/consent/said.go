package consent

import "crypto/sha256"

// Outcome is what came of a prompt. Everything but Yes is a no.
type Outcome int

const (
	// Failed: the question was not seen, or the answer was none.
	Failed Outcome = iota
	// Yes: the person pressed the button that says so.
	Yes
	// No: the person pressed the other, or closed the prompt.
	No
	// Unanswered: nobody did anything in time.
	Unanswered
)

// Said is what came back from whoever showed a question.
type Said struct {
	Outcome Outcome
	// Rows that stayed ticked; only with Yes.
	Rows []int
	// Hash is that of the action that was shown.
	Hash [sha256.Size]byte
}
