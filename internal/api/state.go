package api

import (
	"context"
	"net/http"
	"runtime"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type statusOutput struct{ Body report.Status }

type sourcesOutput struct{ Body sourceList }

// A sourceList is what is protected.
type sourceList struct {
	Sources []report.SourceStatus `json:"sources" doc:"Each as it is now."`
}

type tasksOutput struct{ Body taskList }

type taskList struct {
	Tasks []holdfast.TaskStanding `json:"tasks"`
}

type alarmsOutput struct{ Body alarmList }

type alarmList struct {
	Alarms []alarm.Alarm `json:"alarms" doc:"What is wrong now."`
}

type deliveriesOutput struct{ Body deliveryList }

type deliveryList struct {
	OK         bool             `json:"ok" doc:"Whether everybody was told."`
	Deliveries []alarm.Delivery `json:"deliveries" doc:"What became of the message at each service."`
}

type versionOutput struct{ Body versionBody }

type versionBody struct {
	Version string `json:"version" doc:"Of holdfast."`
	API     string `json:"api" enum:"v1" doc:"Of this API."`
	Go      string `json:"go" doc:"Of the compiler."`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

type configOutput struct{ Body configBody }

type configBody struct {
	Type   string         `json:"type" enum:"config"`
	File   string         `json:"file,omitempty" doc:"The configuration file."`
	Values []settingValue `json:"values"`
}

type settingValue struct {
	Key    string        `json:"key"`
	Value  string        `json:"value" doc:"A secret is shown as ***."`
	Note   string        `json:"note,omitempty" doc:"What beats it, such as the switch of Auto Backup."`
	Origin config.Origin `json:"origin" doc:"Where it comes from: flag, environment, .env, file, default."`
}

type activityInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"At most so many."`
	Before string `query:"before" maxLength:"128" doc:"The cursor that the page before gave as next."`
}

type activityOutput struct{ Body activityPage }

type activityPage struct {
	Entries []access.Entry `json:"entries" doc:"Every change and every refusal, the newest first."`
	Next    string         `json:"next,omitempty" doc:"The cursor of the next page, for before; absent at the end."`
}

// addState adds what can be known of the data and of the daemon.
func (s *server) addState() {
	get := func(id, path, summary, words string, scopes ...access.Scope) route {
		return route{id: id, method: http.MethodGet, path: path, tag: "state", summary: summary, description: words, scopes: scopes, status: http.StatusOK}
	}
	add(s, get("getStatus", "/status", "How safe the data is", "The verdict in one sentence and what it rests on, as `holdfast status --json` prints it.", access.ScopeRead, access.ScopeBackup),
		func(ctx context.Context, _ *nothing) (*statusOutput, error) {
			st, err := s.core().Status(ctx)
			return &statusOutput{st}, err
		})
	add(s, get("listSources", "/sources", "What is protected", "Each source as it is now, with the number of its records and its newest backup.", access.ScopeRead),
		func(ctx context.Context, _ *nothing) (*sourcesOutput, error) {
			st, err := s.core().Status(ctx)
			return &sourcesOutput{sourceList{append([]report.SourceStatus{}, st.Sources...)}}, err
		})
	add(s, get("listTasks", "/tasks", "What runs by itself", "The periodic tasks of the daemon: when each last ran, what became of it, when it runs next.", access.ScopeRead),
		func(context.Context, *nothing) (*tasksOutput, error) {
			return &tasksOutput{taskList{append([]holdfast.TaskStanding{}, s.core().Tasks()...)}}, nil
		})
	add(s, get("listAlarms", "/alarms", "What is wrong now", "The alarms that stand, told or not.", access.ScopeRead),
		func(context.Context, *nothing) (*alarmsOutput, error) {
			return &alarmsOutput{alarmList{append([]alarm.Alarm{}, s.core().Alarms()...)}}, nil
		})
	add(s, get("getVersion", "/version", "Versions", ""), func(context.Context, *nothing) (*versionOutput, error) {
		return &versionOutput{versionBody{s.o.Version, "v1", runtime.Version(), runtime.GOOS, runtime.GOARCH}}, nil
	})
	add(s, get("getConfig", "/config", "The settings", "Every setting with its value and where it comes from, as `holdfast config show --json` prints it.", access.ScopeAdmin), s.showConfig)
	activity := get("listActivity", "/activity", "Who did what", "The audit: every change and every refusal, the newest first.", access.ScopeAdmin)
	activity.errors = []int{http.StatusNotFound}
	add(s, activity, func(_ context.Context, in *activityInput) (*activityOutput, error) {
		entries, next, err := s.o.Access.Audit().Read(access.Page{Limit: in.Limit, Before: in.Before})
		return &activityOutput{activityPage{entries, next}}, err
	})
	test := get("testNotifications", "/notifications/test", "Send a test to everybody who is told of alarms", "It answers what became of it at each service.", access.ScopeAdmin)
	test.method = http.MethodPost
	add(s, test, s.testNotifications)
}

func (s *server) showConfig(context.Context, *nothing) (*configOutput, error) {
	c := s.core().Config
	out := configBody{Type: "config", File: c.File, Values: []settingValue{}}
	for _, v := range c.Values {
		out.Values = append(out.Values, settingValue{Key: v.Key, Value: redact.Text(v.Shown()), Note: report.NoteOn(c, v.Key), Origin: v.Origin})
	}
	return &configOutput{out}, nil
}

func (s *server) testNotifications(ctx context.Context, _ *nothing) (*deliveriesOutput, error) {
	c := s.core()
	if len(c.Config.Notify.URLs) == 0 {
		return nil, &holdfast.Error{
			Op: "notify", Err: holdfast.Kindf(holdfast.ErrRefused, "nobody is to be told of alarms"),
			Hint: "set notify.urls",
		}
	}
	out := deliveryList{OK: true, Deliveries: append([]alarm.Delivery{}, c.Notify(ctx)...)}
	for _, d := range out.Deliveries {
		out.OK = out.OK && d.OK
	}
	return &deliveriesOutput{out}, nil
}
