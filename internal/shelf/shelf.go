// Package shelf keeps a few things open that are costly to open and are asked for again
// and again, such as a backup whose rows somebody pages through.
//
// Start from [New], then [Shelf.Take]. What is taken is lent: it stays open until its last
// borrower has returned it, whatever happens meanwhile. What nobody has borrowed is closed
// after a while, when others need the room, when it is dropped and when the shelf is
// closed.
package shelf

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Options are what a shelf works with.
type Options[T io.Closer] struct {
	// Resolve gives what stands for a name now: two names of one thing give the same,
	// and one name of another thing gives something else. It is asked every time, so
	// that what is gone is not lent.
	Resolve func(ctx context.Context, name string) (id string, err error)
	// Open opens what a name stands for. It is asked once for all who wait, and its
	// context does not end with that of any of them.
	Open func(ctx context.Context, name string) (T, error)
	// Size is how many are kept open at most; zero is 4. More are open only while more
	// are borrowed at once.
	Size int
	// Idle is after what time one that nobody borrowed is closed; zero is 2 minutes.
	Idle time.Duration
	// Failed is told what could not be closed; nil: nobody is.
	Failed func(error)
}

const (
	defaultSize = 4
	defaultIdle = 2 * time.Minute
)

// A Shelf lends what it keeps open.
type Shelf[T io.Closer] struct {
	o Options[T]

	mu     sync.Mutex
	items  map[string]*item[T]
	turn   int // counts the returns
	closed bool
	busy   sync.WaitGroup // openings and closings, until the shelf is closed
}

// An item is one thing that is open, or being opened. The shelf's lock guards all but
// value and err, which stand once opened is closed.
type item[T io.Closer] struct {
	id     string
	opened chan struct{}
	value  T
	err    error

	loans   int
	gone    bool // it is on the shelf no more
	awaited bool // Close waits until it is closed
	used    int  // the turn of its last return
	idle    *time.Timer
}

// New makes an empty shelf.
func New[T io.Closer](o Options[T]) *Shelf[T] {
	if o.Size <= 0 {
		o.Size = defaultSize
	}
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	return &Shelf[T]{o: o, items: map[string]*item[T]{}}
}

// A Loan is something borrowed.
type Loan[T io.Closer] struct {
	Value T
	shelf *Shelf[T]
	item  *item[T]
	once  sync.Once
}

// Take borrows what a name stands for. The borrower returns it.
func (s *Shelf[T]) Take(ctx context.Context, name string) (*Loan[T], error) {
	id, err := s.o.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	it, closing := s.borrow(ctx, name, id)
	s.close(closing)
	select {
	case <-it.opened:
	case <-ctx.Done():
		s.giveBack(it, false)
		return nil, context.Cause(ctx)
	}
	if it.err != nil {
		s.giveBack(it, true)
		return nil, it.err
	}
	return &Loan[T]{Value: it.value, shelf: s, item: it}, nil
}

// borrow finds an item or begins to open it, and gives what has to be closed to make room.
func (s *Shelf[T]) borrow(ctx context.Context, name, id string) (it, closing *item[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it = s.items[id]; it != nil {
		it.loans++
		if it.idle != nil {
			it.idle.Stop()
			it.idle = nil
		}
		return it, nil
	}
	it = &item[T]{id: id, opened: make(chan struct{}), loans: 1}
	if len(s.items) >= s.o.Size {
		if closing = s.oldest(); closing != nil {
			s.remove(closing)
			s.await(closing)
		}
	}
	s.items[id] = it
	open := func() {
		defer close(it.opened)
		it.value, it.err = s.o.Open(context.WithoutCancel(ctx), name)
	}
	if s.closed {
		go open() // the borrower waits
	} else {
		s.busy.Go(open)
	}
	return it, closing
}

// oldest is what nobody has borrowed for the longest time; nil if all are.
func (s *Shelf[T]) oldest() *item[T] {
	var oldest *item[T]
	for _, it := range s.items {
		if it.loans == 0 && (oldest == nil || it.used < oldest.used) {
			oldest = it
		}
	}
	return oldest
}

// remove takes an item off the shelf, under the lock.
func (s *Shelf[T]) remove(it *item[T]) {
	if it.gone {
		return
	}
	it.gone = true
	if it.idle != nil {
		it.idle.Stop()
	}
	delete(s.items, it.id)
}

// giveBack ends a loan. What is spoilt is not lent again.
func (s *Shelf[T]) giveBack(it *item[T], spoilt bool) {
	s.mu.Lock()
	it.loans--
	s.turn++
	it.used = s.turn
	if spoilt || it.loans == 0 && (s.closed || len(s.items) > s.o.Size) {
		s.remove(it)
	}
	last := it.loans == 0
	if last && !it.gone {
		it.idle = time.AfterFunc(s.o.Idle, func() { s.expire(it) })
	}
	closing := it
	if last && it.gone {
		s.await(it)
	} else {
		closing = nil
	}
	s.mu.Unlock()
	s.close(closing)
}

// expire closes an item if nobody has borrowed it meanwhile.
func (s *Shelf[T]) expire(it *item[T]) {
	s.mu.Lock()
	if it.loans > 0 || it.gone || it.idle == nil {
		s.mu.Unlock()
		return
	}
	s.remove(it)
	s.await(it)
	s.mu.Unlock()
	s.close(it)
}

// await makes Close wait for what is about to be closed, under the lock.
func (s *Shelf[T]) await(it *item[T]) {
	if !s.closed {
		it.awaited = true
		s.busy.Add(1)
	}
}

// close closes an item that is off the shelf and borrowed by nobody, and was awaited. One
// that is still being opened is waited for by a goroutine of its own.
func (s *Shelf[T]) close(it *item[T]) {
	if it == nil {
		return
	}
	shut := func() {
		<-it.opened
		if it.awaited {
			defer s.busy.Done()
		}
		if it.err != nil {
			return
		}
		if err := it.value.Close(); err != nil && s.o.Failed != nil {
			s.o.Failed(err)
		}
	}
	select {
	case <-it.opened:
		shut()
	default:
		go shut()
	}
}

// Drop closes everything as soon as it is not borrowed: what was open may not be what is
// there now.
func (s *Shelf[T]) Drop() {
	s.mu.Lock()
	closing := s.clear()
	s.mu.Unlock()
	for _, it := range closing {
		s.close(it)
	}
}

// clear takes everything off the shelf, under the lock, and gives what nobody has
// borrowed.
func (s *Shelf[T]) clear() (closing []*item[T]) {
	for _, it := range s.items {
		s.remove(it)
		if it.loans == 0 {
			s.await(it)
			closing = append(closing, it)
		}
	}
	return closing
}

// Close closes everything that is not borrowed, and what is as soon as it is returned. A
// shelf that is closed still lends, but keeps nothing.
func (s *Shelf[T]) Close() {
	s.mu.Lock()
	closing := s.clear()
	s.closed = true
	s.mu.Unlock()
	for _, it := range closing {
		s.close(it)
	}
	s.busy.Wait()
}

// Return ends the loan. After a failure that may lie in what was borrowed, it is opened
// anew for the next; an end of the context is no such failure. Only the first Return of a
// loan counts.
func (l *Loan[T]) Return(err error) {
	spoilt := err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	l.once.Do(func() { l.shelf.giveBack(l.item, spoilt) })
}
