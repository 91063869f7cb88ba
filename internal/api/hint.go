package api

import (
	"regexp"
	"strings"
)

// Hints are written for whoever types commands. Who calls the API reads what to request
// in their place; what only the machine's owner can do stays a command.

// command finds a command in a hint, with the name or flag that follows it.
var command = regexp.MustCompile("`?\\bholdfast (list|show|status|backup|verify|drill|restore|rollback|recover|prune|replicate|compact|pin|delete)\\b((?: (?:--all|--full|--confirm|latest|NAME)\\b)?)(?: --only [A-Za-z0-9_.-]+)?`?")

// requests are what does the same as a command without a name.
var requests = map[string]string{
	"list": "GET /backups", "status": "GET /status", "backup": "POST /backups", "backup --full": `POST /backups {"full":true}`,
	"verify": "POST /backups/latest/verify", "verify --all": "POST /verify", "drill": "POST /backups/latest/drill",
	"rollback": "POST /rollback", "recover": "POST /recover", "prune": "POST /prune", "prune --confirm": "POST /hold/confirm",
	"replicate": "POST /replicate", "compact": "POST /compact",
}

// named are what does the same as a command with a name.
var named = map[string]string{
	"show": "GET /backups/{name}", "verify": "POST /backups/{name}/verify", "drill": "POST /backups/{name}/drill",
	"restore": "POST /backups/{name}/restore", "pin": `PATCH /backups/{name} {"pinned":true}`, "delete": "DELETE /backups/{name}",
}

// fields are the flags of commands that are fields of requests.
var fields = strings.NewReplacer("--force", `"force":true`, "--online", `"online":true`)

// hintFor writes a hint for whoever calls the API.
func hintFor(hint string) string {
	hint = command.ReplaceAllStringFunc(hint, func(found string) string {
		parts := command.FindStringSubmatch(found)
		verb, what := parts[1], strings.TrimSpace(parts[2])
		request, ok := requests[strings.TrimSpace(verb+" "+what)]
		if !ok {
			if request, ok = named[verb]; !ok {
				return found
			}
			if what == "latest" {
				request = strings.Replace(request, "{name}", what, 1)
			}
		}
		method, path, _ := strings.Cut(request, " ")
		return method + " " + Root + path
	})
	return fields.Replace(hint)
}
