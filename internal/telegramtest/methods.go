package telegramtest

import "strings"

// A method is one of the Bot API.
type method struct {
	name string
	do   func(*call) (any, error)
}

// methods by their names in small letters: the Bot API does not look at case.
var methods = byName([]method{
	{"getMe", getMe},
	{"getUpdates", getUpdates},
	{"sendMessage", sendMessage},
	{"sendDocument", sendDocument},
	{"forwardMessage", forwardMessage},
	{"editMessageText", editMessageText},
	{"editMessageMedia", editMessageMedia},
	{"deleteMessage", deleteMessage},
	{"answerCallbackQuery", answerCallbackQuery},
	{"getFile", getFile},
	{"getChat", getChat},
	{"pinChatMessage", pinChatMessage},
	{"unpinChatMessage", unpinChatMessage},
	{"sendChatAction", sendChatAction},
	{"copyMessage", copyMessage},
	{"editMessageCaption", editMessageCaption},
	{"editMessageReplyMarkup", editMessageReplyMarkup},
	{"deleteMessages", deleteMessages},
	{"unpinAllChatMessages", unpinAllChatMessages},
	{"getChatMember", getChatMember},
	{"getChatAdministrators", getChatAdministrators},
	{"restrictChatMember", restrictChatMember},
	{"setMyCommands", setMyCommands},
	{"getMyCommands", getMyCommands},
	{"deleteMyCommands", deleteMyCommands},
	{"setWebhook", setWebhook},
	{"deleteWebhook", deleteWebhook},
	{"getWebhookInfo", getWebhookInfo},
})

func byName(all []method) map[string]method {
	named := make(map[string]method, len(all))
	for _, m := range all {
		named[strings.ToLower(m.name)] = m
	}
	return named
}
