package telegram

import (
	"context"
	"io"

	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/internal/botapi"
)

// Client is what the bucket needs of a botapi.Client. Of a message that is gone, or that
// stays as it is, the errors match botapi.ErrNoMessage and botapi.ErrFixedMessage; other
// refusals tell nothing about it.
type Client interface {
	// Chat tells of a chat, with the newest of its pinned messages.
	Chat(ctx context.Context, chat any) (*models.ChatFullInfo, error)
	// Download gives the bytes of a document.
	Download(ctx context.Context, fileID string) (io.ReadCloser, error)
	// SendDocument sends a new message.
	SendDocument(ctx context.Context, chat any, d botapi.Document) (botapi.Sent, error)
	// ReplaceDocument puts another document into a message.
	ReplaceDocument(ctx context.Context, chat any, message int, d botapi.Document) (botapi.Sent, error)
	// Delete removes a message.
	Delete(ctx context.Context, chat any, message int) error
	// Forward sends a message again, with what it holds now.
	Forward(ctx context.Context, from, to any, message int) (*models.Message, error)
	// Pin pins a message without ringing.
	Pin(ctx context.Context, chat any, message int) error
}

var _ Client = (*botapi.Client)(nil)
