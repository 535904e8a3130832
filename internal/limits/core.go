package limits

import "time"

const (
	// PathBytes bounds a path that a client names: PATH_MAX of Linux.
	PathBytes = 4096
	// Clients bounds the connections of one core. A person has a handful of
	// windows and terminals; more is a runaway script.
	Clients = 64
	// ClientsPerProcess bounds those of one process, so that it cannot keep the
	// others out: a program uses one, and a terminal that takes over a few.
	ClientsPerProcess = 16
	// ClientsReserved are kept for processes that have none: whatever holds the
	// rest, a command that withdraws a permission gets in.
	ClientsReserved = 8
	// AcceptPause is the wait of an accept that failed for want of descriptors.
	AcceptPause = 50 * time.Millisecond
	// TasksPerClient bounds the tasks that one connection holds open.
	TasksPerClient = 16
	// TasksListed is how many tasks one answer lists, the newest: all that clients may
	// hold, but where the core has some of its own besides.
	TasksListed = Clients * TasksPerClient
	// LogReads bounds how often one connection reads the log at the same time: a
	// reading takes 0.4 MB for as long as its client does. A panel has one, and
	// those that it has just given up.
	LogReads = 8
	// GrantsLive bounds the rows of the table, so that a hostile client cannot
	// grow the core.
	GrantsLive = 1024
	// GrantsPerChannel bounds those of one page or connection, so that it leaves the
	// others room, with those that have ended and of which it is still told why.
	// Studio has less than ten; the questions of a page's 16 tasks with a folder,
	// two models and a card each come to 64.
	GrantsPerChannel = 64
	// FoldersPerChannel bounds the folders among them: each has an index worker of
	// its own. It is one for each task, and as many as one question names.
	FoldersPerChannel = 16
	// Remembered bounds the policies that a person keeps.
	Remembered = 256
	// PickedToken is the length of what stands for a folder that was picked, in
	// bytes: 128 bits cannot be guessed.
	PickedToken = 16
	// DenialsBlock is how often a person says no to an app, a kind and an object
	// before it may not ask again: as Android has it.
	DenialsBlock = 2
	// RememberedModels bounds the models that one folder is remembered with: two
	// are used, one to find and one to write.
	RememberedModels = 8
	// PolicyFileBytes bounds the file of remembered policies and of refusals: as many as
	// there may be of both, each with a path of which JSON writes six bytes for one.
	PolicyFileBytes = 16 << 20
	// ProposalsWaiting is the queue of questions to a person per client; further ones are answered no.
	ProposalsWaiting = 3
	// PromptInert is how long "yes" does not count after a prompt appeared, so
	// that a key that was meant for something else grants nothing.
	PromptInert = 500 * time.Millisecond
	// PromptInertGrave is the same where a wrong yes cannot be taken back: upload,
	// exec, delete. Firefox waits as long before it takes a download's yes.
	PromptInertGrave = time.Second
	// PromptTimeout answers a prompt with no.
	PromptTimeout = 60 * time.Second
	// RefusalsMost is how many calls without a grant, of an app and a method, have a
	// record of their own in RefusalsTime; a page whose grant has just ended makes a
	// few. Those beyond stand in the next one, or in one when that time is over, with
	// their number.
	RefusalsMost = 100
	RefusalsTime = 5 * time.Minute
	// WithdrawnPause is how long a question waits that was on the screen and was
	// taken off it by its requester, and WithdrawnPauseLong after the second time;
	// from WithdrawnMost on each time counts as a no. A page that makes prompts
	// flicker is blocked after four in two minutes; a person who closes a folder
	// and opens it again waits for no longer than it takes to find it.
	WithdrawnPause     = 5 * time.Second
	WithdrawnPauseLong = 30 * time.Second
	WithdrawnMost      = 3
	// WithdrawnForget is how long an app has to leave questions on the screen for
	// those before to be forgotten, as far as they were about something else.
	WithdrawnForget = 10 * time.Minute
	// CoreLinger keeps a core for the next command of a script before it ends.
	CoreLinger = 400 * time.Millisecond
	// ClientHello is how long a new connection may take to say who it is.
	ClientHello = 5 * time.Second
	// ExpiryTick is how often expiries are looked at besides at each use.
	ExpiryTick = 250 * time.Millisecond
	// SocketTick is how often the core looks whether its socket is still there: one
	// call of the system, and for that long nothing can be withdrawn by a new command.
	SocketTick = 2 * time.Second
	// CoreStartGone is how long a core that is told to end at its start may take to do
	// so in order.
	CoreStartGone = time.Second
	// WorkerReady bounds a worker's start, from clone to sealed. It takes
	// milliseconds; a machine under heavy load may take a thousand times that.
	WorkerReady = 20 * time.Second
	// WorkerDying is how long a worker that did not pass is given to turn out
	// to be dead: the kernel takes its files and threads apart one by one.
	WorkerDying = 100 * time.Millisecond
	// WorkerSilence is how long a worker may say nothing during a call before
	// it counts as hung. Progress comes several times a second while it works.
	WorkerSilence = 120 * time.Second
	// WorkerLastWords is how long what a worker said before it ended is waited for,
	// which is there already.
	WorkerLastWords = 200 * time.Millisecond
	// WorkerStderr is the ring of a worker's last words.
	WorkerStderr = 16 << 10
	// WorkerRestarts is how many times in a row a worker of one grant may
	// crash before the core stops starting it.
	WorkerRestarts = 3
	// WorkerBackoff is the wait before the second start in a row; it doubles.
	WorkerBackoff = 50 * time.Millisecond
	// EngineKeepAlive is how long a loaded engine waits for its next grant: long
	// enough for the pause between two questions, short enough that a model's
	// memory comes back within a coffee.
	EngineKeepAlive = 5 * time.Minute
	// EngineDrop is how long an engine that others use may take to confirm that
	// a revoked grant's calls have ended before it is killed (DESIGN 6).
	EngineDrop = 100 * time.Millisecond
	// EngineDropSlow is the same for a task that ended in order: nobody waits for
	// it, and loading a large model again costs more than the wait.
	EngineDropSlow = 5 * time.Second
	// EngineDying is how long a call waits to hear why its engine ended: the
	// kernel takes the memory of a large model apart page by page.
	EngineDying = 2 * time.Second
	// EngineSays is how many characters of an engine's own words stand in an error,
	// marked as such: the reason of a template fits.
	EngineSays = 160
	// StoreIdle is how long an app's store worker waits for its next call: it
	// starts in 15 ms, and takes 14 MB while it waits.
	StoreIdle = 3 * time.Second
	// DataRemoveNames is how many names of a data directory are read at once
	// when it is removed: a worker may have made millions.
	DataRemoveNames = 256
	// OwnLevels is how far below Bailey's directories one is looked for that was
	// given a second name: data directories are two levels down, and hold files.
	OwnLevels = 2
	// WorkerGrants bounds the rows that one worker holds.
	WorkerGrants = 64
)

// CoreGCPercent keeps the core's heap near its live size, for memory and
// because a worker's start copies the core's page tables.
const CoreGCPercent = 50

// CoreLog bounds the core's own log file, in bytes.
const CoreLog = 1 << 20

// IPCAwayFD is above every descriptor that a process is born with.
const IPCAwayFD = 32
