// Package telegramtest plays Telegram: a real HTTP server that answers the Bot
// API for one bot, keeps what is in its chats, and lets people of the test's
// making write, press buttons, pin and delete.
//
// Start from [Start], which gives a running [Server] for a test, or from [New]
// for a program (internal/telegramtest/serve is one). Clients are given
// [Server.URL] as their base URL and [Server.Token]. Then:
//
//   - [Server.User] makes a person. [User.Says], [User.Replies], [User.Presses],
//     [User.Pins] and [User.Deletes] are what people do; each becomes the update
//     that Telegram would send.
//   - [Server.Group], [Server.Supergroup] and [Server.Channel] make the other
//     kinds of chats; [Chat.Promote] gives the bot rights there.
//   - [Server.Chat] looks into a chat; [Server.Await] waits until the bot has
//     written what a test is after.
//   - [Server.Fail] makes methods fail: 429, 502, a connection that drops, an
//     upload that is cut.
//   - GET /chat/ID draws a chat as a phone does.
//
// # What is promised
//
// The rules are those of the public documentation of the Bot API and the
// error texts are those that its server sends: parse modes, lengths in UTF-16
// units, markups, rights in each kind of chat, the 48 hours in which messages
// can be deleted, 50 MB up and 20 MB down, one reader of updates at a time,
// file paths that are good for an hour. What the documentation leaves open is
// decided to the disadvantage of the bot.
//
// Time is [Options].Now. Waiting (long polling, Await) is done in real time.
//
// # What is left out
//
// Media other than documents, Markdown, inline mode, payments, topics, and
// everything else that this module does not use: such methods are answered
// with 404, so that nobody takes silence for support.
package telegramtest
