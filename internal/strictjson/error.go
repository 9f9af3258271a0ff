package strictjson

import "fmt"

// Problem is what is wrong with a document, in fixed words.
type Problem string

// Problems that end the reading: there is no value. They come in an [*Error].
const (
	NotUTF8       Problem = "not UTF-8"
	ByteOrderMark Problem = "a byte order mark before the JSON"
	NotJSON       Problem = "not JSON"
	Truncated     Problem = "JSON that ends too early"
	TrailingData  Problem = "more than one JSON document"
	TooLarge      Problem = "JSON of 4 GiB or more"
	TooDeep       Problem = "JSON nested too deep"
	TooManyValues Problem = "too many JSON values"
)

// Problems that do not end the reading. They come in a [Fault].
const (
	DuplicateName Problem = "a duplicate key"
	BadName       Problem = "a key with a lone surrogate or a NUL character"
	BadString     Problem = "a string with a lone surrogate or a NUL character"
	TooLong       Problem = "a member that is too long"
)

// Error is the error for a document that has no value. It quotes nothing of the document.
type Error struct {
	Problem Problem
	Offset  int // bytes before the place where the problem was found
}

// Error describes the problem and where it is.
func (e *Error) Error() string { return fmt.Sprintf("%s, at byte %d", e.Problem, e.Offset) }

// Step is one step from a value to one inside it.
type Step struct {
	Name  string // of a member, decoded as [Value.Text] does; no more than its first 100 characters
	Index int    // of an item, from 0; -1 for a member
}

// Fault is a problem of a document that has a value nevertheless. Its path consists of names from
// the document; its problem and offset quote nothing of it.
type Fault struct {
	Problem Problem
	Offset  int    // of the name or string
	Path    []Step // to the member or string that it concerns
}

// maxStepName is in characters.
const maxStepName = 100

// maxFaults is how many faults of a document are reported.
const maxFaults = 100

// Faults are the problems of a document that has a value, in the document's order: at least one,
// and not more than a hundred. As an error it quotes nothing of the document.
type Faults []Fault

// Error describes the first fault and where it is.
func (f Faults) Error() string { return fmt.Sprintf("%s, at byte %d", f[0].Problem, f[0].Offset) }
