package botapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
)

// A Document is a file to be sent.
type Document struct {
	Name    string
	Size    int64
	Open    func() (io.ReadCloser, error) // called anew for each attempt
	Caption string
	Silent  bool
}

// Sent is a document that is in a chat.
type Sent struct {
	Message  int
	FileID   string
	UniqueID string
	Size     int64
	Date     time.Time
}

// SendDocument sends a new message with a file.
func (c *Client) SendDocument(ctx context.Context, chat any, d Document) (Sent, error) {
	return c.upload(ctx, "sendDocument", chat, d, func(ctx context.Context, chat any, body io.Reader) (*models.Message, error) {
		return c.bot.SendDocument(ctx, &bot.SendDocumentParams{
			ChatID: chat, Document: &models.InputFileUpload{Filename: d.Name, Data: body}, Caption: d.Caption,
			DisableContentTypeDetection: true, DisableNotification: d.Silent,
		})
	})
}

// ReplaceDocument puts another file into a message.
func (c *Client) ReplaceDocument(ctx context.Context, chat any, message int, d Document) (Sent, error) {
	return c.upload(ctx, "editMessageMedia", chat, d, func(ctx context.Context, chat any, body io.Reader) (*models.Message, error) {
		return c.bot.EditMessageMedia(ctx, &bot.EditMessageMediaParams{
			ChatID: chat, MessageID: message,
			Media: &models.InputMediaDocument{Media: "attach://" + path.Base(d.Name), MediaAttachment: body, Caption: d.Caption, DisableContentTypeDetection: true},
		})
	})
}

// upload sends a file, which is opened anew for each attempt.
func (c *Client) upload(ctx context.Context, method string, chat any, d Document, send func(context.Context, any, io.Reader) (*models.Message, error)) (sent Sent, err error) {
	if d.Size > MostUpload {
		return Sent{}, &holdfast.Error{Op: "telegram " + method, Object: d.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "it has %d bytes, a bot can send %d", d.Size, int64(MostUpload)), Hint: "send it in pieces"}
	}
	err = c.call(ctx, method, chat, func(ctx context.Context, chat any) error {
		body, err := d.Open()
		if err != nil {
			return fmt.Errorf("%w: %w", errSource, err)
		}
		read := &source{from: body}
		m, err := send(ctx, chat, read)
		if failed := read.end(); failed != nil {
			return fmt.Errorf("%w: %w", errSource, failed)
		}
		if err != nil {
			return err
		}
		if m == nil || m.Document == nil {
			return fmt.Errorf("%w: the answer names no document", bot.ErrorBadRequest)
		}
		sent = Sent{Message: m.ID, FileID: m.Document.FileID, UniqueID: m.Document.FileUniqueID, Size: m.Document.FileSize, Date: time.Unix(int64(m.Date), 0)}
		return nil
	})
	return sent, err
}

// Download gives the bytes of a file. It matches ErrRefused for one that is larger than a
// bot can fetch. What breaks off while it is read is an error of the reader.
func (c *Client) Download(ctx context.Context, fileID string) (body io.ReadCloser, err error) {
	err = c.call(ctx, "getFile", nil, func(ctx context.Context, _ any) error {
		f, err := c.bot.GetFile(ctx, &bot.GetFileParams{FileID: fileID})
		if err != nil {
			return err
		}
		// Telegram's own server gives no path of this machine; one that did must not choose
		// what is read here.
		if filepath.IsAbs(f.FilePath) && c.ownServer() {
			body, err = local(f.FilePath)
			return err
		}
		body, err = c.fetch(ctx, c.bot.FileDownloadLink(f))
		return err
	})
	return body, err
}

// local opens a file of a Bot API server that runs in its local mode.
func local(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return nil, &holdfast.Error{
			Op: "telegram getFile", Object: name, Err: err,
			Hint: "the Bot API server runs in its local mode: its folder must be readable here under the same path",
		}
	}
	return f, nil
}

// fetch begins to read a file. The transport makes an error of what is none.
func (c *Client) fetch(ctx context.Context, link string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
