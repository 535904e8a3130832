package limits

import "time"

// Limits of a model's header. They are far above what real files have: the
// largest vocabulary has 262,144 tokens, the longest template 30 KB, the most
// tensors about 20,000.
const (
	// ModelKeys is how many keys a header has: real ones have below 100.
	ModelKeys = 4096
	// ModelTensors is how many tensors it lists: the engine compares each name
	// with all before it.
	ModelTensors = 65536
	// ModelTensorDims and ModelTensorName are GGML_MAX_DIMS and GGML_MAX_NAME
	// less its zero byte, of llama.cpp.
	ModelTensorDims = 4
	ModelTensorName = 63
	// ModelKeyName is the longest key in bytes; the longest in use has 60.
	ModelKeyName = 1024
	// ModelString is the longest string in bytes.
	ModelString = 1 << 20
	// ModelTemplate is the longest chat template in bytes: what renders it has
	// to parse it first.
	ModelTemplate = 256 << 10
	// ModelElements is how many elements one array has.
	ModelElements = 1 << 24
	// ModelVocabulary is how many tokens there are: each costs the reader 8 bytes.
	ModelVocabulary = 1 << 20
	// ModelHeader is everything before the weights, in bytes: the largest
	// vocabularies take 16 MB.
	ModelHeader = 256 << 20
	// ModelAlignment is the largest alignment of tensors: a page.
	ModelAlignment = 4096
	// ModelAlignmentDefault is GGUF_DEFAULT_ALIGNMENT.
	ModelAlignmentDefault = 32
	// ModelLayers is LLAMA_MAX_LAYERS: one more aborts the engine.
	ModelLayers = 512
	// ModelWidth bounds the numbers of a layer's shape, so that their products
	// fit: the widest models have 20,000.
	ModelWidth = 1 << 24
	// ModelContext bounds the context that a header may claim, in tokens.
	ModelContext = 1 << 30
	// InspectHeap is what the inspect worker's heap grows to before its collector
	// works more, in bytes: a vocabulary of a million tokens takes 30 MB.
	InspectHeap = 96 << 20
	// InspectTime is how long the reading of one header may take. The longest
	// takes a second from a cold disk.
	InspectTime = 60 * time.Second
	// InspectReason is how much of a reason the core repeats, in bytes.
	InspectReason = 200
	// ModelHeaderBuffer is how much of the header is read at once, in bytes.
	ModelHeaderBuffer = 64 << 10
	// ModelWord is the longest architecture in bytes, as in the schema.
	ModelWord = 64
	// ModelTitle is the longest title and licence in bytes, as in the schema.
	ModelTitle = 256
)

// Limits of the store of models.
const (
	// DigestBytes is the length of a SHA-256.
	DigestBytes = 32
	// Models is how many there are; the index file holds them all.
	Models = 1024
	// ModelIndexBytes bounds the index file: a model takes at most 10 KB, most
	// take 700 bytes.
	ModelIndexBytes = 16 << 20
	// ModelName is the longest name in bytes, as in the schema.
	ModelName = 128
	// ModelDigits is how many first digits of a digest name a model at least.
	ModelDigits = 6
	// ModelBuffer and ModelBuffers are what an import reads ahead of the hash
	// and the disk, in bytes: larger ones are not faster, and the core's memory
	// does not depend on a model's size.
	ModelBuffer  = 512 << 10
	ModelBuffers = 3
	// ModelSpaceMargin stays free on the disk, so that the log and other programs
	// can still write.
	ModelSpaceMargin = 64 << 20
	// ModelSpaceEvery is after how many bytes free space is looked at again.
	ModelSpaceEvery = 256 << 20
	// ModelCrashes in a row of its engine set a model aside.
	ModelCrashes = 3
	// ModelUsedEvery is how old the time of a model's last use in the index may be: calls may
	// be many a second, and each write of the index waits for the disk.
	ModelUsedEvery = time.Minute
	// FitParallel is how many conversations at once are reckoned with, as in the
	// schema.
	FitParallel = 64
	// ModelProgress is the time between two reports of progress.
	ModelProgress = 100 * time.Millisecond
	// ModelStaged is how many models of one task wait for an answer: one is asked
	// for at a time, and each holds its size on the disk.
	ModelStaged = 4
	// ModelSettled is how long a file must have been left alone for its times to
	// tell of the next write: the coarsest that file systems keep are 2 s.
	ModelSettled = 3 * time.Second
	// ModelReleased is how long an engine that was ended may take to let go of
	// its model.
	ModelReleased = 5 * time.Second
)

// MemoryFile bounds a file of /proc or of a control group that is read for the
// memory that is available: the longest has 6 KB.
const MemoryFile = 64 << 10

// EngineContext is the context of one conversation unless told otherwise, in
// tokens: a long talk, in a cache that fits beside a small model.
const EngineContext = 4096

// What models.Fit reckons with.
const (
	// ModelStep is how many tokens the engine computes at once, n_ubatch of
	// llama.cpp.
	ModelStep = 512
	// ModelWidths is how many results of a layer's width are alive at once, the
	// wider ones inside it included.
	ModelWidths = 16
	// ModelFixed is what the engine and its library take besides, in bytes: 17 MB
	// were seen.
	ModelFixed = 24 << 20
	// ModelHeaderTimes is how many bytes the engine takes for one of the file that
	// is no weight: of vocabularies of 50,000 to a million tokens it kept 6.5 to 7.3,
	// with merges to 8.6, and took one or two more while it read them.
	ModelHeaderTimes = 8
)
