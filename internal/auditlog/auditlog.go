// Package auditlog is the format of Bailey's audit log and its verification:
// no I/O, no clock, no keys of its own. This comment is the specification; a
// program that follows it needs nothing else of Bailey (a test holds a second
// implementation, written from this text, against this one).
//
// # Log file
//
// A log is a text file of lines, each ended by one line feed (0x0A). A line is
// at most 65,536 bytes. There are two kinds of line: records and checkpoints.
// Records are numbered from 0 in the order of their lines.
//
// A batch is one to 512 records followed by one checkpoint line. The log is a
// sequence of batches. Bytes after the last whole checkpoint line are an
// unfinished batch: they were never acknowledged to anyone, and a reader
// ignores them.
//
// # Record
//
// A record is one JSON object without white space whose members stand in the
// order of the table, those that are empty or zero left out (seq, time and kind
// always stand):
//
//	seq             number   the record's number, from 0
//	time            string   UTC, RFC 3339 with milliseconds: 2006-01-02T15:04:05.000Z
//	kind            string   what happened: see Kinds
//	app             string   the app that asked
//	surface         string   its window, script or "cli"
//	task            string   the task's id
//	verb            string   what the user asked for: "ask", "summarize"
//	method          string   the schema's method: "bailey.index.v1.IndexService/Ask"
//	decision        string   allow, deny
//	by              string   who decided: terminal, command-line, remembered, policy
//	grant           string   the grant's id
//	code            string   outcome: "ok" or a code of docs/errors.md
//	request_bytes   number
//	response_bytes  number
//	messages        number   messages of a stream
//	ms              number   duration, milliseconds
//	corr            string   correlation id across processes
//	size            number   records of the log that a history-break follows, or bytes that recovery removed
//	root            string   root of that log, base64
//	tag             string   base64 of HMAC-SHA256(tag key, value): equal values of one app have equal tags
//	sealed          string   base64 of nonce (12 bytes) || AES-256-GCM(data key, detail JSON), additional data "bailey-audit-detail/1" || 0x00 || app
//
// Numbers are decimal, without sign or leading zeros, below 2^63. Strings are
// 1 to 128 bytes (sealed: up to 40,000) of A–Z a–z 0–9 and . _ : / + = @ -
// so that nothing needs an escape and there is exactly one encoding of a
// record. base64 is RFC 4648 section 4, padded, with zero trailing bits. A record has
// no free text: what a person may want to read (paths, hosts, arguments) is in
// sealed, which the app's key opens. Destroying that key leaves every record,
// and so every proof, as it was.
//
// # Tree
//
// The Merkle tree is that of RFC 6962 section 2.1 (RFC 9162 section 2.1.1) over
// the records' bytes, without line feeds, with SHA-256: leaf =
// SHA-256(0x00 || record), node = SHA-256(0x01 || left || right), and the empty
// tree is SHA-256 of nothing.
//
// # Checkpoint
//
// A checkpoint is a signed note (c2sp.org/signed-note) whose text is a
// c2sp.org/tlog-checkpoint without extension lines:
//
//	<origin>\n<size>\n<root, base64>\n
//
// with exactly one signature, Ed25519, by the log's key, whose name is the
// origin. The origin is "bailey/audit/" and 16 hex digits, new for each log.
// The public key file holds the key in the signed-note form
// "<name>+<hash>+<base64>" and a line feed.
//
// A checkpoint line is
//
//	{"checkpoint":"<note>","leaves":["<hash>",…],"sum":"<16 hex digits>"}
//
// where the note's line feeds are written \n, leaves are the leaf hashes of the
// batch (base64) in order, and sum is the first 8 bytes of the SHA-256 of all
// of the line before `,"sum"`. The leaves let a verifier name the very record
// that was changed; they are trusted only because with the tree before the
// batch they give the signed root. The sum tells a damaged signature from a
// good one without 10^5 signature checks a second; it is no protection against
// anyone. A verifier must check the signature of the last checkpoint, which
// vouches for every record of the log, and the root of all others.
//
// # Checkpoint file
//
// The newest checkpoint also stands in a file of its own, so that a log that
// was cut is found: two halves of 4,096 bytes, each a JSON line padded with
// spaces before its line feed,
//
//	{"checkpoint":"<note>","offset":<number>,"frontier":["<hash>",…],"sum":"<16 hex digits>"}
//
// offset is the length of the log in bytes up to and with that checkpoint's
// line; frontier are the roots of the largest complete subtrees, left to right,
// one for each 1 bit of size. The halves are written in turn, after the log is durable.
// The one with the larger size counts. The log must contain exactly that
// checkpoint at that offset. The frontier lets a writer go on without reading
// the whole log.
//
// # Export
//
// One line for the head, then one for each record of the log in order:
//
//	{"bailey_audit_export":1,"key":"<public key>","checkpoint":"<note>"}
//	{"record":<record>,"proof":["<hash>",…]}
//
// proof is the RFC 6962 audit path of the record in the head's tree. An export
// is checked with nothing but itself; who wants to know *whose* log it is
// compares the key.
//
// # Refusals
//
// Every parser here accepts only what its formatter writes, byte for byte, so
// that a changed byte is never overlooked because it decodes to the same value.
//
// Callers: internal/audit, and tools that verify.
package auditlog

// Kind is what a record is about.
type Kind string

// The kinds. They are part of the format: never renamed, new ones are added.
const (
	CoreStart     Kind = "core-start"     // a core took the log over; code: first, clean (after core-stop) or unclean
	CoreStop      Kind = "core-stop"      // it ended in order
	Heartbeat     Kind = "heartbeat"      // it lives; bounds what can be cut off unseen
	Recovered     Kind = "recovered"      // an unfinished batch (size bytes) was removed at start
	HistoryBreak  Kind = "history-break"  // record 0 of a log that follows another one, which had size and root
	TaskBegin     Kind = "task-begin"     //
	TaskEnd       Kind = "task-end"       //
	Intent        Kind = "intent"         // durable before the effect; an intent without outcome is a crash in between
	Grant         Kind = "grant"          //
	Deny          Kind = "deny"           //
	Revoke        Kind = "revoke"         //
	Expire        Kind = "expire"         //
	Remember      Kind = "remember"       //
	Forget        Kind = "forget"         //
	Refuse        Kind = "refuse"         // that a person said no to an app is kept; the second time blocks
	Unblock       Kind = "unblock"        // and is not any more
	Call          Kind = "call"           // a call was let through
	CallEnd       Kind = "call-end"       // its outcome and sizes
	WorkerStart   Kind = "worker-start"   //
	WorkerEnd     Kind = "worker-end"     //
	WorkerCrash   Kind = "worker-crash"   //
	MalformedPeer Kind = "malformed-peer" // a peer broke the protocol and was cut off
	Erased        Kind = "erased"         // an app's keys were destroyed: its details are gone, the proofs stay
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		CoreStart, CoreStop, Heartbeat, Recovered, HistoryBreak, TaskBegin, TaskEnd, Intent, Grant, Deny, Revoke,
		Expire, Remember, Forget, Refuse, Unblock, Call, CallEnd, WorkerStart, WorkerEnd, WorkerCrash, MalformedPeer, Erased,
	}
}

// Names of a log's files inside its directory.
const (
	LogFile        = "log"
	CheckpointFile = "checkpoint"
	KeyFile        = "key.pub"
)
