package summary

import "container/heap"

// queue is a heap of candidates, the highest gain on top.
type queue struct{ of []*candidate }

func newHeap(cs []*candidate) *queue {
	q := &queue{of: cs}
	heap.Init(q)
	return q
}

func (q *queue) Len() int           { return len(q.of) }
func (q *queue) Less(i, j int) bool { return q.of[i].gain > q.of[j].gain }
func (q *queue) Swap(i, j int)      { q.of[i], q.of[j] = q.of[j], q.of[i] }
func (q *queue) Push(x any)         { q.of = append(q.of, x.(*candidate)) }
func (q *queue) Pop() any {
	n := len(q.of) - 1
	x := q.of[n]
	q.of = q.of[:n]
	return x
}

func (q *queue) len() int        { return len(q.of) }
func (q *queue) top() *candidate { return q.of[0] }
func (q *queue) down()           { heap.Fix(q, 0) }
func (q *queue) pop()            { heap.Pop(q) }
