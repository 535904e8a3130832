package limits

import "time"

// Limits of the windows (package window) and of what they show (package apps).
const (
	// AppBytes bounds an app's files together: Studio's are below one megabyte,
	// and the core holds them while it runs.
	AppBytes = 32 << 20
	// AppFiles bounds their number: Studio's are a tenth of it.
	AppFiles = 512
	// AppPath bounds the name of one, as the archive's format does.
	AppPath = 100
	// WindowFrame bounds a frame between host and core: a message of the page,
	// which is what one IPC frame carries, and what is around it.
	WindowFrame = IPCBody + 4096
	// SurfaceMessage bounds a message between a page and the core, without what is
	// around it; the schema says the same.
	SurfaceMessage = 1044480
	// WindowWord bounds the words of the wire, "navigation" or "crashed".
	WindowWord = 64
	// WindowDetail bounds what a host says more of a refusal.
	WindowDetail = 256
	// WindowReadBuffer holds a usual call in one system call.
	WindowReadBuffer = 16 << 10
	// WindowKeepBuffer is the largest buffer that is kept for the next frame.
	WindowKeepBuffer = 64 << 10
	// WindowWrite is how long a host may not read before it counts as hung.
	WindowWrite = 10 * time.Second
	// WindowStart bounds the time from a host's start to its first painted page:
	// it takes a third of a second; a machine under heavy load a hundred times
	// that. A compositor that never maps the window ends here.
	WindowStart = 40 * time.Second
	// WindowConfined is how long the processes of a page may take until they are seen
	// in their sandboxes, and WindowLook the time between two looks: usually they are
	// at the first.
	WindowConfined = 3 * time.Second
	WindowLook     = 20 * time.Millisecond
	// WindowSettings is how long a window waits for the desktop's settings, from
	// before its host is started: a portal that has to be started first takes
	// longer, and the settings then come as a change.
	WindowSettings = 250 * time.Millisecond
	// WindowAccessibility is how long a window waits for its way to screen readers:
	// the bus for them may have to be started first, once in a session.
	WindowAccessibility = time.Second
	// WindowClose is how long a host may take to end after it was told to.
	WindowClose = time.Second
	// WindowWidth and WindowHeight are a first window's size in pixels at scale 1:
	// the smallest common laptop leaves room beside it.
	WindowWidth, WindowHeight = 1100, 760
	// PanelWidth and PanelHeight are those of Permissions and Activity, which
	// stand beside the app.
	PanelWidth, PanelHeight = 820, 680
	// WindowCalls is how many calls of a document run at a time; a page waits for
	// a handful.
	WindowCalls = 64
	// WindowQuick is what a call may take for the method's next one to run on the
	// goroutine that reads: as long as that, what else a page says waits.
	WindowQuick = time.Millisecond
	// WindowCallBytes is what their requests take together, so that 64 calls of
	// a megabyte are not held at once.
	WindowCallBytes = 8 << 20
	// WindowStreams is how many streams a document has open: its events, an
	// answer, a list, and as many again.
	WindowStreams = 16
	// WindowHandlers is how many handlers of streams a window has at work, those of
	// streams that were given up or whose document is over included: as a rule these
	// are gone in a moment, but one may wait for a model that is being loaded.
	WindowHandlers = 4 * WindowStreams
	// WindowStreamBytes is what a page may leave unacknowledged on one: at 1 MB a
	// second, a quarter of a second of a busy page.
	WindowStreamBytes = 256 << 10
	// WindowStreamFetch is how long a stream waits for the page to fetch it.
	WindowStreamFetch = 10 * time.Second
	// WindowFold is how often equal refusals are recorded: the first at once,
	// further ones with their number.
	WindowFold = 10 * time.Second
	// WindowRecords is how often a window may call what makes records without a
	// grant (a task, stopping one from Permissions, a question, the folder dialog, erasing
	// its data or a part of it), once and then again every WindowRecordEvery: more tasks than a person
	// begins in a day, and below a megabyte of log.
	WindowRecords     = 2000
	WindowRecordEvery = 2 * time.Second
	// WindowCrashes is how many ends of a page's process a host may report, and
	// again every WindowCrashEvery: a person reloads a page that crashed a few times.
	WindowCrashes    = 10
	WindowCrashEvery = 6 * time.Second
	// WindowEvents is how many changes of grants wait for a page that does not
	// read; the oldest go.
	WindowEvents = 256
	// WindowSubscribers is how many event streams a document may have.
	WindowSubscribers = 4
	// WindowDropped is how many drops a window takes at once, and a page has not
	// read yet, and WindowDropEvery the time after which there may be one more: more
	// than a person does.
	WindowDropped   = 4
	WindowDropEvery = time.Second
	// PickedMost is how many folders that were picked a document can name.
	PickedMost = 64
	// PickedObject bounds what a page is shown of one; the schema says the same.
	PickedObject = 16384
	// PickerLine bounds the line that a picker says before the path.
	PickerLine = 128
	// PanelPause is the least time between two panels that a page opens, and
	// PickPause between two dialogs: a window that comes up takes the keyboard.
	PanelPause = time.Second
	PickPause  = time.Second
	// WindowsTold is how long the end of the core waits for clients to be told
	// that their windows are closed.
	WindowsTold = time.Second
)

// ScaleOne is the usual size of text, in thousandths.
const ScaleOne = 1000
