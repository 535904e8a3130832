package errs

// Code is the stable name of a kind of failure. Codes are API: they are never
// renamed, and a new one is added at the end of its group.
type Code string

// Exit codes of the command line.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitDenied      = 3
	ExitIntegrity   = 4
	ExitUnavailable = 5
)

const (
	Internal        Code = "internal"
	Usage           Code = "usage"
	Cancelled       Code = "cancelled"
	Deadline        Code = "deadline"
	NotFound        Code = "not-found"
	Denied          Code = "denied"
	GrantExpired    Code = "grant-expired"
	GrantRevoked    Code = "grant-revoked"
	GrantMissing    Code = "grant-missing"
	QuotaUsedUp     Code = "quota-used-up"
	PromptBusy      Code = "prompt-busy"
	PromptNoAnswer  Code = "prompt-unanswered"
	PromptFailed    Code = "prompt-failed"
	Blocked         Code = "blocked"
	AboveCeiling    Code = "above-ceiling"
	FolderMissing   Code = "folder-missing"
	FolderNotDir    Code = "folder-not-a-directory"
	FolderClosed    Code = "folder-unreadable"
	FolderChanged   Code = "folder-changed"
	LogBroken       Code = "audit-log-broken"
	LogUnwritable   Code = "audit-log-unwritable"
	BadExport       Code = "audit-export-broken"
	ReleaseMismatch Code = "release-mismatch"
	CoreUnavailable Code = "core-unavailable"
	CoreBusy        Code = "core-busy"
	HomeUnusable    Code = "home-unusable"
	NoSpace         Code = "no-space"
	SandboxMissing  Code = "sandbox-missing"
	PostureFailed   Code = "sandbox-posture-failed"
	WorkerCrashed   Code = "worker-crashed"
	WorkerMemory    Code = "worker-out-of-memory"
	WorkerHung      Code = "worker-hung"
	EngineCrashed   Code = "engine-crashed"
	EngineHung      Code = "engine-hung"
	Malformed       Code = "malformed"
	TooLarge        Code = "too-large"
	NotSupported    Code = "not-supported"
	EngineMissing   Code = "engine-missing"
	GraphicsMissing Code = "graphics-missing"
	ModelMissing    Code = "model-missing"
	ModelNameTaken  Code = "model-name-taken"
	ModelAmbiguous  Code = "model-ambiguous"
	ModelRefused    Code = "model-refused"
	DigestWrong     Code = "digest-wrong"
	ModelChanged    Code = "model-changed"
	ModelQuarantine Code = "model-quarantined"
	ModelInUse      Code = "model-in-use"
	ModelRole       Code = "model-role"
	ModelTooLarge   Code = "model-too-large"
	MemoryUsedUp    Code = "engine-out-of-memory"
	ContextOverflow Code = "context-overflow"
	TemplateRefused Code = "chat-template-refused"
	SchemaRefused   Code = "json-schema-refused"
	SchemaStuck     Code = "json-schema-stuck"
	StoreDamaged    Code = "store-damaged"
	StoreConflict   Code = "conversation-changed"
	DisplayMissing  Code = "display-missing"

	WindowUnavailable Code = "window-unavailable"
	AppUnknown        Code = "app-unknown"
	AppMissing        Code = "app-missing"
	BundleDamaged     Code = "bundle-damaged"
	ProgramMissing    Code = "program-missing"
	ProgramRefused    Code = "program-refused"
)

// Entry is what the table says of one code.
type Entry struct {
	Code     Code
	Exit     int
	Sentence string
	Hint     string
	// Page explains the code in docs/errors.md.
	Page string
}

// Table lists every code, in the order of docs/errors.md.
func Table() []Entry { return table }

var table = []Entry{
	{Internal, ExitFailed, "Something went wrong inside Bailey", "run `bailey doctor`; if it stays, please report it", "A fault of Bailey's own. Nothing was lost."},
	{Usage, ExitUsage, "The command cannot be understood", "run `bailey help`", "The words on the command line do not fit together. Nothing was started."},
	{Cancelled, ExitFailed, "Stopped", "", "The task was ended before it was done, by Ctrl-C or by its client going away."},
	{Deadline, ExitFailed, "It took too long", "raise --timeout", "The time that the call was given is over."},
	{NotFound, ExitFailed, "There is no such thing", "", "The name or id is not known here."},
	{Denied, ExitDenied, "Not allowed", "run the command on a terminal to be asked, or grant it on the command line", "Nobody granted what the task needs. Without a terminal the answer is no, unless the command line granted it or the folder is remembered."},
	{GrantExpired, ExitDenied, "The grant has expired", "run the command again to be asked", "A grant has a time, and it is over on one of its two clocks."},
	{GrantRevoked, ExitDenied, "The grant was revoked", "run the command again to be asked", "Someone withdrew the grant while it was in use."},
	{GrantMissing, ExitDenied, "There is no grant for this", "run the command again to be asked", "The call named no live grant of the right kind on this connection."},
	{QuotaUsedUp, ExitDenied, "The grant's quota is used up", "run the command again to be asked", "A grant may be limited to a number of calls."},
	{PromptBusy, ExitDenied, "Too many questions are waiting", "answer those that are open, then try again", "At most three questions wait; more are answered no."},
	{PromptNoAnswer, ExitDenied, "Nobody answered the question", "ask again, and answer within a minute", "A question that stands for 60 seconds is answered no, and is not put again in the same task."},
	{PromptFailed, ExitDenied, "The question could not be shown", "try again; `bailey doctor` says what a window lacks", "The prompt ended, was not shown by the desktop, or gave no answer to this very question. Nothing is granted without one."},
	{Blocked, ExitDenied, "You said no to this twice", "open Permissions and press Unblock, or `bailey grant revoke ID`; `bailey grant list` shows the id", "An app that was refused the same twice, or that took the question off the screen again and again, is not let ask for it again until you take the row that says so away."},
	{AboveCeiling, ExitDenied, "The app may not ask for this", "", "What an app may ask a person for is part of the app. Nobody is asked for anything beyond it."},
	{FolderMissing, ExitFailed, "The folder does not exist", "check the spelling", "No directory is at that path."},
	{FolderNotDir, ExitUsage, "That is not a folder", "name the folder that holds it", "The path names a file or something else that is not a directory."},
	{FolderClosed, ExitFailed, "The folder cannot be opened", "check who owns it and its mode", "The system refused to open the directory, or the worker's own user may not read it."},
	{FolderChanged, ExitFailed, "The folder is not the one that was granted any more", "run the command again to be asked", "The directory was replaced, moved or unmounted."},
	{LogBroken, ExitIntegrity, "The audit log is damaged", "`bailey audit verify` names the first bad record", "The log does not match its signed checkpoints. Once a core has found that, nothing is granted until a person has looked. It reads a log of up to 2,000 records whole before it starts; of a longer one it reads the newest part then, and all of it right behind its start, at 100,000 records a second or more. What was granted until then ends when damage is found. A record that is changed while a core runs is found when it is read, and by the next start; `bailey audit verify` looks at all of it at any time."},
	{LogUnwritable, ExitUnavailable, "The audit log cannot be written", "check free space and the mode of Bailey's home", "The file cannot be written, or the key that signs it is missing or damaged, which says nothing about the records. No grant is made without a record, so nothing was done."},
	{BadExport, ExitIntegrity, "The export does not verify", "", "The file is not what the log's key signed."},
	{ReleaseMismatch, ExitUnavailable, "Another release of Bailey is running", "run `bailey stop`, then try again", "Processes of different releases never talk to each other."},
	{CoreUnavailable, ExitUnavailable, "Bailey's core cannot be reached", "run `bailey doctor`", "The core did not start or went away. Nothing was lost; the next command starts it again."},
	{CoreBusy, ExitUnavailable, "Bailey's core has too much to do", "end another task, then try again", "A cap on connections, tasks, permissions or streams was reached."},
	{HomeUnusable, ExitUnavailable, "Bailey's home cannot be used", "name another one with --home, or mend its owner and mode", "The state directory is missing, read-only, too open, or another user's."},
	{NoSpace, ExitUnavailable, "The disk is full", "free some space, then run the command again", "What was written so far was removed or can be used again."},
	{SandboxMissing, ExitUnavailable, "This machine lacks a part of the sandbox that this work needs", "run `bailey doctor`", "A worker whose required layers are missing does not start; nothing ever runs outside the sandbox."},
	{PostureFailed, ExitUnavailable, "A worker was not confined as it should be, and was ended", "run `bailey doctor`", "What was seen from outside, or tried from inside, differed from the worker's specification."},
	{WorkerCrashed, ExitFailed, "The worker ended unexpectedly", "run the command again", "A sandboxed process crashed or was killed. The core goes on; nothing was lost."},
	{WorkerMemory, ExitFailed, "The worker used up the memory that it may take, and was ended", "leave out the file or folder that it worked on, or split it", "A sandboxed process reached its limit: a file may be made to that end. The core goes on; nothing was lost."},
	{WorkerHung, ExitFailed, "The worker made no progress and was ended", "run the command again", "A sandboxed process stopped answering."},
	{EngineCrashed, ExitFailed, "The engine ended unexpectedly", "run the command again", "The sandboxed process that runs the model crashed or was killed. What was said so far is kept. A model that brings its engine down three times in a row is set aside."},
	{EngineHung, ExitFailed, "The engine made no progress and was ended", "run the command again", "The sandboxed process that runs the model stopped answering. What was said so far is kept."},
	{Malformed, ExitFailed, "A message was not in the agreed form", "", "The peer broke the protocol, and its connection was closed."},
	{TooLarge, ExitFailed, "A message was larger than allowed", "", "Every message has a limit, named in the schema."},
	{NotSupported, ExitUnavailable, "This is not supported here", "", "The operating system or this release cannot do it."},
	{GraphicsMissing, ExitUnavailable, "There is no graphics card that models could use", "leave it out: models run on the processor; `bailey doctor` says what was found", "No device node of a card can be opened, or the library for cards is not installed (`make engine GPU=vulkan`). Nobody is asked for what is not there."},
	{EngineMissing, ExitUnavailable, "The engine for models is not installed", "run `make engine` and install Bailey again; everything that needs no model works without it", "bailey-engine or its library is not beside bailey-core, or is not the one that this release was made for."},
	{ModelMissing, ExitFailed, "There is no such model", "`bailey model list` shows those that are here; `bailey model pull FILE` brings one in", "No model of the store has that name or digest."},
	{ModelNameTaken, ExitUsage, "Another model has that name", "choose another one with --name", "A name means one model of the store."},
	{ModelAmbiguous, ExitUsage, "More than one model fits", "name one of them", "The digits fit several digests, or no name was given and there are several models."},
	{ModelRefused, ExitIntegrity, "The file is not a model that Bailey loads", "get it again from where it is published, or another form of it: GGUF, version 2 or 3, for text", "Its header is damaged, too large, or of a kind that is not loaded. It was read in a sandbox, and nothing was kept."},
	{DigestWrong, ExitIntegrity, "The digest is not the one you gave", "get the file again, or check where the digest is from", "The bytes are not those that `--sha256` names. Of a file that was pulled nothing was kept."},
	{ModelChanged, ExitIntegrity, "The model is not the file that was pinned", "remove it with `bailey model rm`, then bring it in again", "Its bytes do not have the digest that was pinned, or something opened it for writing while it was in use."},
	{ModelQuarantine, ExitIntegrity, "The model ended its engine too often and is not loaded any more", "`bailey model pin NAME` asks again and gives it another chance", "A model that makes its engine crash three times in a row is set aside by its digest."},
	{ModelInUse, ExitFailed, "The model is in use", "end what uses it with `bailey stop`, or say --force", "An engine holds the model."},
	{ModelRole, ExitUsage, "The model is not for this", "`bailey model list` shows what each model is for", "A model that makes vectors cannot chat, and the other way round. What it is for stands in its header."},
	{ModelTooLarge, ExitUnavailable, "The model does not fit into this machine's memory", "choose a smaller one or a shorter --context; `bailey model fit NAME` shows the sums; --over-memory loads it all the same, slowly", "Weights, context and scratch memory together are more than the machine can give without swapping."},
	{MemoryUsedUp, ExitFailed, "The engine ran out of memory and was ended", "choose a shorter --context or a smaller model", "The engine reached the memory that it was given. What was said so far is kept."},
	{ContextOverflow, ExitFailed, "The text is longer than the model's context", "shorten it, raise --context, or begin a new conversation", "Nothing was cut silently. The error says how long the text is and what fits, in tokens."},
	{TemplateRefused, ExitFailed, "The model's chat template cannot be used", "use a model with another template; no other template is put in its place", "The template in the file is missing, does not render, or took more time, steps or output than it may."},
	{SchemaRefused, ExitUsage, "The JSON schema cannot be followed", "make it simpler", "It uses words that are not supported, or is too deep, too wide or too large."},
	{SchemaStuck, ExitFailed, "The model has no token that the JSON schema allows here", "use another model, or a schema without what this one cannot write", "The answer so far keeps to the schema, and nothing in the model's vocabulary goes on with it or may end it. Nothing else is put in its place."},
	{StoreDamaged, ExitIntegrity, "What was kept of your conversations is damaged, and was set aside", "run the command again: it begins a new one", "The file is kept whole, under another name, in the directory of the app's own data; an ordinary SQLite program can save what is left in it. This is said once."},
	{StoreConflict, ExitFailed, "The conversation was changed elsewhere", "read it again with --continue, or begin another one", "Another window or terminal goes on with the same conversation. Neither overwrites what the other one wrote."},
	{DisplayMissing, ExitUnavailable, "There is no display to show a window on", "log in to a desktop, or use the commands on a terminal: `bailey help` lists them", "Neither WAYLAND_DISPLAY nor DISPLAY leads to a display of this machine that is yours. Windows are never shown on another machine's display, because whoever is on the way there could read and press."},
	{WindowUnavailable, ExitUnavailable, "The window cannot be shown", "run `bailey doctor`; the commands of the terminal work without a window", "A window needs an ordinary user, a display of Wayland or X11, WebKitGTK 6.0 (Debian: libwebkitgtk-6.0-4), and user namespaces for its sandbox. A graphics card is not needed. The hint says which of them is missing."},
	{AppUnknown, ExitUsage, "There is no such app", "the apps are studio and panels", "The name is not one of an app that is part of Bailey."},
	{AppMissing, ExitUnavailable, "The app is not part of this installation", "install Bailey again", "The app's files are not beside bailey-core, or the core was built without them. They are built by `make apps`, which needs Node."},
	{BundleDamaged, ExitIntegrity, "The app's files are not those that Bailey was built with", "install Bailey again", "The core was linked with the digest of the app's archive. One byte differs, so nothing of it is shown."},
	{ProgramMissing, ExitFailed, "There is no such program", "name it by its path, or by a name that PATH finds", "`bailey sandbox run` found no file to run."},
	{ProgramRefused, ExitUsage, "The program cannot be run in this sandbox", "link it static, or run it in the kind tool", "`bailey sandbox run` runs static programs in kinds that may execute nothing, and any program in the kind tool. The error says what is in the way."},
}

func entry(c Code) Entry {
	for _, e := range table {
		if e.Code == c {
			return e
		}
	}
	return table[0]
}

// Known reports whether c stands in the table.
func Known(c Code) bool {
	for _, e := range table {
		if e.Code == c {
			return true
		}
	}
	return false
}
