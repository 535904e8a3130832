package limits

// Limits of the kinds of worker whose services come later. What a service turns
// out to need replaces them.
const (
	// FileFileSize is the largest file that a file worker writes, bytes, and of a
	// before-image of one.
	FileFileSize = 8 << 30
	// FileMemory: a file worker reads and writes in pieces, bytes.
	FileMemory = 512 << 20
	// StreamMemory is for workers that pass on what goes through them (sound, a
	// network, another program's messages), bytes.
	StreamMemory = 512 << 20
	// StreamFileSize: none of them writes a file.
	StreamFileSize = 1
	// StreamOpenFiles: connections; row 66 of the escape table wants 300 refused.
	StreamOpenFiles = 256
	// PluginMemory bounds a plugin's memory, and that of the runtime around it,
	// bytes.
	PluginMemory = 1 << 30

	// ToolOpenFiles is less than the soft limit of every Linux system, 1024, by the
	// 253 that one message passes. Descriptors in messages that nobody has read are
	// counted for the person, and who finds more than its own limit passes none: a
	// desktop's programs would not.
	ToolOpenFiles = 768
	// ToolFileSize is the largest file that a tool writes, bytes.
	ToolFileSize = 8 << 30
	// ToolMemory bounds each process of a tool, bytes: compilers and Node's heap
	// of 2 GB.
	ToolMemory = 3 << 30
	// ToolProcesses bounds processes and threads together: a build with all
	// processors, each with a compiler of a few threads.
	ToolProcesses = 1024
	// ToolScratch is what a tool may write besides its folders, bytes, in memory:
	// the temporary files of a build.
	ToolScratch = 512 << 20
	// ToolNames bounds the files in each of those places: what a package of Node's
	// unpacks to, or the objects of a build.
	ToolNames = 32 << 10
	// ToolHome is for what programs want to remember, which goes with them, bytes.
	ToolHome = 64 << 20
)
