package pdfium

import (
	"context"
	"io"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/bailey-run/bailey/internal/limits"
)

type instanceKey struct{}

// Error numbers of WASI snapshot preview 1.
const (
	wasiBadf  = 8
	wasiNoent = 44
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

// hostFunction is one import of the module, answered here.
type hostFunction struct {
	name            string
	params, results []api.ValueType
	do              api.GoModuleFunc
}

func types(t ...api.ValueType) []api.ValueType { return t }

// always answers with a constant whatever it is asked.
func always(n uint64) api.GoModuleFunc {
	return func(_ context.Context, _ api.Module, stack []uint64) {
		if len(stack) > 0 {
			stack[0] = n
		}
	}
}

// wasi is all of WASI that the module names.
func wasi() []hostFunction {
	bad, none := always(wasiBadf), always(wasiNoent)
	return []hostFunction{
		{"fd_close", types(i32), types(i32), bad},
		{"fd_write", types(i32, i32, i32, i32), types(i32), bad},
		{"fd_read", types(i32, i32, i32, i32), types(i32), bad},
		{"fd_seek", types(i32, i64, i32, i32), types(i32), bad},
		{"fd_sync", types(i32), types(i32), bad},
		{"fd_fdstat_get", types(i32, i32), types(i32), bad},
		{"fd_fdstat_set_flags", types(i32, i32), types(i32), bad},
		{"fd_filestat_get", types(i32, i32), types(i32), bad},
		{"fd_filestat_set_size", types(i32, i64), types(i32), bad},
		{"fd_readdir", types(i32, i32, i32, i64, i32), types(i32), bad},
		{"fd_prestat_get", types(i32, i32), types(i32), bad},
		{"fd_prestat_dir_name", types(i32, i32, i32), types(i32), bad},
		{"path_open", types(i32, i32, i32, i32, i32, i64, i64, i32, i32), types(i32), none},
		{"path_filestat_get", types(i32, i32, i32, i32, i32), types(i32), none},
		{"path_unlink_file", types(i32, i32, i32), types(i32), none},
		{"path_remove_directory", types(i32, i32, i32), types(i32), none},
		{"environ_get", types(i32, i32), types(i32), always(0)},
		{"environ_sizes_get", types(i32, i32), types(i32), zeros(0, 4, 1, 4)},
		{"clock_time_get", types(i32, i64, i32), types(i32), zeros(2, 8)},
		// What C compiles behind it is a trap.
		{"proc_exit", types(i32), nil, func(ctx context.Context, m api.Module, stack []uint64) {
			_ = m.CloseWithExitCode(ctx, uint32(stack[0]))
		}},
	}
}

// zeros writes zeros to the places that its parameters point at, given by number
// of the parameter and bytes, and says that all is well.
func zeros(places ...int) api.GoModuleFunc {
	return func(_ context.Context, m api.Module, stack []uint64) {
		for n := 0; n < len(places); n += 2 {
			m.Memory().Write(uint32(stack[places[n]]), make([]byte, places[n+1]))
		}
		stack[0] = 0
	}
}

// env is what PDFium's C interface calls back. All but the reading of the document
// belongs to forms, scripts, files that are still being fetched, and saving.
func env() []hostFunction {
	no := always(0)
	return []hostFunction{
		{"FPDF_FILEACCESS_CB", types(i32, i32, i32, i32), types(i32), block},
		{"FPDF_FILEWRITE_CB", types(i32, i32, i32), types(i32), no},
		{"FX_FILEAVAIL_IS_DATA_AVAILABLE_CB", types(i32, i32, i32), types(i32), no},
		{"FX_DOWNLOADHINTS_ADD_SEGMENT_CB", types(i32, i32, i32), nil, no},
		{"UNSUPPORT_INFO_HANDLER_CB", types(i32, i32), nil, no},
		{"FSDK_SetTimeFunction_CB", nil, types(i64), no},
		{"FSDK_SetLocaltimeFunction_CB", types(i32), types(i32), no},
		{"IFSDK_PAUSE_NeedToPauseNow_CB", types(i32), types(i32), no},
		{"FPDF_FORMFILLINFO_Release_CB", types(i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_Invalidate_CB", types(i32, i32, f64, f64, f64, f64), nil, no},
		{"FPDF_FORMFILLINFO_FFI_OutputSelectedRect_CB", types(i32, i32, f64, f64, f64, f64), nil, no},
		{"FPDF_FORMFILLINFO_FFI_SetCursor_CB", types(i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_SetTimer_CB", types(i32, i32, i32), types(i32), no},
		{"FPDF_FORMFILLINFO_FFI_KillTimer_CB", types(i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_GetLocalTime_CB", types(i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_OnChange_CB", types(i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_GetPage_CB", types(i32, i32, i32), types(i32), no},
		{"FPDF_FORMFILLINFO_FFI_GetCurrentPage_CB", types(i32, i32), types(i32), no},
		{"FPDF_FORMFILLINFO_FFI_GetRotation_CB", types(i32, i32), types(i32), no},
		{"FPDF_FORMFILLINFO_FFI_ExecuteNamedAction_CB", types(i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_SetTextFieldFocus_CB", types(i32, i32, i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_DoURIAction_CB", types(i32, i32), nil, no},
		{"FPDF_FORMFILLINFO_FFI_DoGoToAction_CB", types(i32, i32, i32, i32, i32), nil, no},
		{"emscripten_notify_memory_growth", types(i32), nil, no},
	}
}

// block reads a piece of the document into the module's memory: (parameter, place,
// where to, how much) → 1, or 0.
func block(ctx context.Context, m api.Module, stack []uint64) {
	i, _ := ctx.Value(instanceKey{}).(*Instance)
	at, to, size := uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	stack[0] = 0
	b, ok := m.Memory().Read(to, size)
	if !ok || i == nil || i.file == nil || size > limits.PDFBlock {
		return
	}
	if n, err := i.file.ReadAt(b, int64(at)); n == len(b) && (err == nil || err == io.EOF) {
		stack[0] = 1
	}
}

// hosts puts both into the runtime.
func hosts(ctx context.Context, r wazero.Runtime) error {
	for name, functions := range map[string][]hostFunction{"wasi_snapshot_preview1": wasi(), "env": env()} {
		b := r.NewHostModuleBuilder(name)
		for _, f := range functions {
			b.NewFunctionBuilder().WithGoModuleFunction(f.do, f.params, f.results).Export(f.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}
