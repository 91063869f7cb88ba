package repo

import "sync"

// A pipeline works on items of one file on several cores and hands them on in
// order:
//
//	submit → work (several goroutines) → done (one goroutine, in order)
//
// The number of items in flight is bounded by those that exist: submit takes
// one from free, done gives it back. With a single item everything happens in
// submit, without goroutines, as suits a small file.
type pipeline[T any] struct {
	work, done func(*T) error

	free  chan *T
	queue chan *task[T] // nil if there is a single item
	order chan *task[T]
	wg    sync.WaitGroup

	mu  sync.Mutex
	err error
}

type task[T any] struct {
	item *T
	done chan error
}

// newPipeline starts the goroutines. After the first error nothing more is
// worked on; items still pass, so that nobody blocks.
func newPipeline[T any](items []*T, work, done func(*T) error) *pipeline[T] {
	p := &pipeline[T]{work: work, done: done, free: make(chan *T, len(items))}
	for _, it := range items {
		p.free <- it
	}
	if len(items) == 1 {
		return p
	}
	p.queue = make(chan *task[T], len(items))
	p.order = make(chan *task[T], len(items))
	for range workers {
		p.wg.Go(func() {
			for t := range p.queue {
				t.done <- p.attempt(work, t.item)
			}
		})
	}
	p.wg.Go(func() {
		for t := range p.order {
			if err := <-t.done; err != nil {
				p.fail(err)
			} else {
				p.fail(p.attempt(done, t.item))
			}
			p.free <- t.item
		}
	})
	return p
}

// attempt runs one stage unless an earlier one failed.
func (p *pipeline[T]) attempt(stage func(*T) error, it *T) error {
	if err := p.failed(); err != nil {
		return err
	}
	return stage(it)
}

// take waits for a free item.
func (p *pipeline[T]) take() *T { return <-p.free }

// submit hands an item that was taken to the workers.
func (p *pipeline[T]) submit(it *T) {
	if p.queue == nil {
		p.fail(p.attempt(p.work, it))
		p.fail(p.attempt(p.done, it))
		p.free <- it
		return
	}
	t := &task[T]{item: it, done: make(chan error, 1)}
	p.queue <- t
	p.order <- t
}

// wait ends the pipeline after all that was submitted; nothing is left
// running.
func (p *pipeline[T]) wait() error {
	if p.queue != nil {
		close(p.queue)
		close(p.order)
		p.wg.Wait()
	}
	return p.failed()
}

func (p *pipeline[T]) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *pipeline[T]) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}
