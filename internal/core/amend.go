package core

import (
	"slices"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// extractEngine is what an answer in the documents' own words is said to be by.
const extractEngine = "bailey-extract/1"

// told are the names of the models that an index worker may use for one call.
type told struct{ embeds, writes []string }

func (t *told) add(name string, r modelv1.Role) {
	if r == modelv1.Role_ROLE_EMBEDDING {
		t.embeds = append(t.embeds, name)
	} else {
		t.writes = append(t.writes, name)
	}
}

// amend completes an answer that a model was left out of: a model that should
// have found is named in the end's without_model, and one that should have
// written has a written_done that says why it did not. Where a client puts what
// a worker says into lines of Bailey's own, it is held to the codes and to the
// names that the worker was told. A model's words where none was given are a
// breach of the schema.
func amend(m rpc.Message, without []missing, told told) (before []rpc.Message, changed bool, err error) {
	var done *indexv1.Done
	var words *indexv1.Written
	var written *indexv1.WrittenDone
	var wrap func(*indexv1.WrittenDone) rpc.Message
	switch m := m.(type) {
	case *indexv1.AskResponse:
		done, words, written = m.GetDone(), m.GetWritten(), m.GetWrittenDone()
		wrap = func(w *indexv1.WrittenDone) rpc.Message {
			return &indexv1.AskResponse{Event: &indexv1.AskResponse_WrittenDone{WrittenDone: w}}
		}
	case *indexv1.SummarizeResponse:
		done, words, written = m.GetDone(), m.GetWritten(), m.GetWrittenDone()
		wrap = func(w *indexv1.WrittenDone) rpc.Message {
			return &indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_WrittenDone{WrittenDone: w}}
		}
	}
	if (words != nil || written != nil) && len(told.writes) == 0 {
		return nil, false, errs.New(errs.Malformed, "core.amend").With("a model's words, and none was given")
	}
	set := func(s *string, to string) {
		changed = changed || *s != to
		*s = to
	}
	if written != nil {
		set(&written.Failed, knownCode(written.Failed))
		if !slices.Contains(told.writes, written.Model) {
			set(&written.Model, told.writes[0])
		}
	}
	if done == nil {
		return nil, changed, nil
	}
	set(&done.Engine, extractEngine)
	if !slices.Contains(told.embeds, done.ByMeaning) {
		set(&done.ByMeaning, "")
	}
	code := knownCode(done.WithoutModel)
	for _, w := range without {
		if w.role == modelv1.Role_ROLE_EMBEDDING {
			code = string(w.code)
			continue
		}
		before = append(before, wrap(&indexv1.WrittenDone{Model: w.name, Failed: string(w.code)}))
	}
	set(&done.WithoutModel, code)
	return before, changed, nil
}

// tookPart names the model that did its part of an answer, when m, amended, says
// so: it found, or it wrote to its end.
func tookPart(m rpc.Message) string {
	e, ok := m.(interface {
		GetDone() *indexv1.Done
		GetWrittenDone() *indexv1.WrittenDone
	})
	switch {
	case !ok:
		return ""
	case e.GetWrittenDone() != nil && e.GetWrittenDone().GetFailed() == "":
		return e.GetWrittenDone().GetModel()
	}
	return e.GetDone().GetByMeaning()
}

// knownCode keeps a worker from putting words into the place of a code.
func knownCode(s string) string {
	if s == "" || errs.Known(errs.Code(s)) {
		return s
	}
	return string(errs.Internal)
}
