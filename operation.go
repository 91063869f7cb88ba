package holdfast

import "context"

// operationKey and observerKey find what a context carries.
type (
	operationKey struct{}
	observerKey  struct{}
)

// WithOperation names the operation that is done under the context: a job of the
// daemon, a request. Its log lines and what it stores carry the name.
func WithOperation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, operationKey{}, id)
}

// OperationOf gives the name of the operation; empty if nobody gave one.
func OperationOf(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}

// WithObserver makes the events of verbs that run under the context go to o, too:
// beside the observer that the engine has, and beside those of contexts around.
func WithObserver(ctx context.Context, o Observer) context.Context {
	if around := ObserverOf(ctx); around != nil {
		inner := o
		o = func(e Event) { around(e); inner(e) }
	}
	return context.WithValue(ctx, observerKey{}, o)
}

// ObserverOf gives the observer of the context, which may be nil.
func ObserverOf(ctx context.Context) Observer {
	o, _ := ctx.Value(observerKey{}).(Observer)
	return o
}
