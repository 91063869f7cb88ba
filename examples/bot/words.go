package main

import (
	"fmt"
	"time"

	"github.com/go-telegram/bot/models"
)

// A phrase is something that the bot says, in English and in Persian.
type phrase struct{ en, fa string }

var phrases = map[string]phrase{
	"welcome": {
		"Hello %[1]s! I keep order in groups: add me to one as an admin. I know %[2]d of you.",
		"سلام %[1]s! من گروه‌ها را مرتب نگه می‌دارم: مرا به‌عنوان مدیر به گروه خود اضافه کنید. تا اینجا %[2]d نفر را می‌شناسم.",
	},
	"welcome_admin": {"You are an admin here: /admin opens the panel.", "شما اینجا ادمین هستید: با /admin پنل باز می‌شود."},
	"id":            {"Your id is %d.", "شناسهٔ شما %d است."},

	"admin":        {"🛠 Admin panel", "🛠 پنل ادمین"},
	"users":        {"👥 Users", "👥 کاربران"},
	"blocked_list": {"🚫 Blocked", "🚫 مسدودشده‌ها"},
	"system":       {"⚙️ System", "⚙️ سیستم"},
	"backup":       {"💾 Backup", "💾 Backup"},
	"refresh":      {"🔄 Refresh", "🔄 بروزرسانی"},
	"back":         {"◀️ Back", "▶️ بازگشت"},

	"users_title":   {"👥 %d people have written. The latest:", "👥 تاکنون %d نفر پیام داده‌اند. تازه‌ترین‌ها:"},
	"user":          {"%[1]s (%[2]s): %[3]d messages", "%[1]s (%[2]s): %[3]d پیام"},
	"blocked_title": {"🚫 Blocked: %d", "🚫 مسدودشده‌ها: %d"},
	"until":         {"%[1]s, until %[2]s", "%[1]s، تا %[2]s"},
	"on_disk":       {"The database lies on disk.", "دیتابیس روی دیسک است."},
	"in_memory":     {"⚠️ The database lies in memory: the storage cannot be written.", "⚠️ دیتابیس در حافظهٔ موقت است: روی محل ذخیره‌سازی نمی‌شود نوشت."},
	"not_yet":       {"not yet", "هنوز نه"},
	"failed":        {"That did not work; please try again.", "انجام نشد؛ لطفاً دوباره امتحان کنید."},

	"tracking":    {"Messages in this group (of the last two days):", "پیام‌های این گروه (از دو روز گذشته):"},
	"wrote":       {"%[1]d (%[2]d)", "%[1]d (%[2]d)"},
	"blocked":     {"🚫 %[1]s may not write until %[2]s.", "🚫 %[1]s تا %[2]s نمی‌تواند بنویسد."},
	"unblocked":   {"🔓 %s may write again.", "🔓 %s دوباره می‌تواند بنویسد."},
	"not_blocked": {"%s is not blocked.", "%s مسدود نیست."},
	"block_how": {
		"Reply to a message of the person with /block 2h (90s, 15m, 2h or 3d).",
		"در پاسخ به پیام آن شخص بنویسید: /block 2h (یا 90s، 15m، 3d).",
	},
	"unblock_how": {"Reply to a message of the person with /unblock.", "در پاسخ به پیام آن شخص بنویسید: /unblock"},
	"refused":     {"%[1]s was not blocked. Telegram says: %[2]v", "%[1]s مسدود نشد. تلگرام می‌گوید: %[2]v"},
	"unreachable": {"Telegram cannot be reached; please try again.", "تلگرام در دسترس نیست؛ لطفاً دوباره امتحان کنید."},
}

// text says something in the language of somebody.
func text(who *models.User, key string, args ...any) string {
	p := phrases[key]
	if who.LanguageCode == "fa" {
		return fmt.Sprintf(p.fa, args...)
	}
	return fmt.Sprintf(p.en, args...)
}

// both says something to a group, where nobody in particular is meant.
func both(key string, args ...any) string {
	return fmt.Sprintf(phrases[key].en, args...) + "\n" + fmt.Sprintf(phrases[key].fa, args...)
}

// words gives a phrase by language.
func words(key string) map[string]string {
	return map[string]string{"en": phrases[key].en, "fa": phrases[key].fa}
}

// apart keeps a name or number from being torn apart by text that runs the other way.
func apart(s string) string { return "\u2068" + s + "\u2069" }

// moment writes a time as everybody reads it.
func moment(t time.Time) string { return apart(t.UTC().Format("2006-01-02 15:04:05 UTC")) }
