package supervise

import (
	"context"
	"os"
	"time"
)

// echoTime is for how long a repeated request to end says nothing new. Some tools
// send a signal to the process and then to its group, and a platform may tell both;
// whoever means "at once" comes later.
const echoTime = time.Second

// withoutEchoes passes signals on, until ctx ends, without the requests to end that
// only repeat the one before.
func withoutEchoes(ctx context.Context, signals <-chan os.Signal) <-chan os.Signal {
	out := make(chan os.Signal, 1)
	go func() {
		var first time.Time
		for {
			select {
			case sig := <-signals:
				if asksToEnd(sig) {
					if !first.IsZero() && time.Since(first) < echoTime {
						continue
					}
					first = time.Now()
				}
				select {
				case out <- sig:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
