package telegram

import "fmt"

// Limits says in sentences what a chat cannot promise. It asks nobody.
func (b *Bucket) Limits() []string {
	where := "Its index is the newest pinned message: a later pin hides it from an empty machine"
	if known, _ := b.known(); known != 0 {
		where = fmt.Sprintf("Its index is message %d, pinned: a later pin hides it from an empty machine, unless the URL says ?index=%d", known, known)
	}
	return []string{
		"Whoever has the bot's token, or may delete messages in the chat, can destroy the copies.",
		"Messages that Telegram no longer lets a bot delete are overwritten instead.",
		where + ".",
		fmt.Sprintf("It takes %d MB in all; object storage (s3://) takes more.", b.o.Limit/1_000_000),
	}
}
