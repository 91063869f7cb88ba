package repo

import (
	"errors"
	"maps"
	"slices"
	"sync"
)

// Openings are things that are opened when they are first needed: each once for all who need
// it, several side by side. A failure is not kept. The zero value is ready.
type openings[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]*opening[V]
}

// An opening is one of them, opened or being so.
type opening[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// get gives what open gives, or gave to whoever came first.
func (o *openings[K, V]) get(key K, open func() (V, error)) (V, error) {
	o.mu.Lock()
	one := o.of[key]
	if one != nil {
		o.mu.Unlock()
		<-one.done
		return one.value, one.err
	}
	one = &opening[V]{done: make(chan struct{})}
	if o.of == nil {
		o.of = map[K]*opening[V]{}
	}
	o.of[key] = one
	o.mu.Unlock()
	one.value, one.err = open()
	close(one.done)
	if one.err != nil {
		o.mu.Lock()
		delete(o.of, key)
		o.mu.Unlock()
	}
	return one.value, one.err
}

// keys are those of what is open or being opened.
func (o *openings[K, V]) keys() []K {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.of))
}

// close closes all, also what is still being opened.
func (o *openings[K, V]) close(end func(V) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, one := range o.of {
		if <-one.done; one.err == nil {
			errs = append(errs, end(one.value))
		}
	}
	clear(o.of)
	return errors.Join(errs...)
}
