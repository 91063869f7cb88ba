//go:build linux

package test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/demo/fixture"
)

const dockerPage = "../docs/docker.md"

// composed is what the tests need of contrib/docker/compose.yaml.
type composed struct {
	Services map[string]struct {
		User, Pid   string
		Command     string
		Build       struct{ Context, Dockerfile string }
		Environment map[string]string
		Volumes     []string
		Ports       []string
		ReadOnly    bool                                  `yaml:"read_only"`
		Grace       time.Duration                         `yaml:"stop_grace_period"`
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	Volumes map[string]any
}

func readCompose(t *testing.T) (c composed) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(readText(t, "../contrib/docker/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A stage is one image of the Dockerfile: its instructions, by their name.
type stage map[string][]string

// readDockerfile gives the stages that are run; the last one has no name.
func readDockerfile(t *testing.T) map[string]stage {
	t.Helper()
	text := strings.ReplaceAll(readText(t, "../contrib/docker/Dockerfile"), "\\\n", " ")
	out := map[string]stage{}
	name := ""
	for line := range strings.Lines(text) {
		what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "" || what == "#" {
			continue
		}
		if what == "FROM" {
			_, name, _ = strings.Cut(rest, " AS ")
			out[name] = stage{}
		}
		out[name][what] = append(out[name][what], rest)
	}
	return out
}

// env gives the variables of a stage.
func (s stage) env() map[string]string {
	out := map[string]string{}
	for _, pair := range strings.Fields(strings.Join(s["ENV"], " ")) {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}

// words reads the list of an instruction such as CMD or HEALTHCHECK.
func words(t *testing.T, instruction []string) (list []string) {
	t.Helper()
	text := strings.Join(instruction, " ")
	if err := json.Unmarshal([]byte(text[strings.Index(text, "["):]), &list); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return list
}

// What the images start is there, is a command of the program, and fits the ports,
// volumes and users that are named.
func TestPageDocker_TheImagesAreWhole(t *testing.T) {
	t.Parallel()
	stages := readDockerfile(t)
	built := strings.Join(stages["build"]["RUN"], "\n")
	for name, s := range map[string]stage{"the empty image": stages[""], "shell": stages["shell"]} {
		program := words(t, s["ENTRYPOINT"])[0]
		installed := false
		for _, c := range s["COPY"] {
			fields := strings.Fields(c)
			from, to := fields[1], fields[2]
			installed = installed || from == "/out/holdfast" && filepath.Base(to) == filepath.Base(program)
			if from != "/etc/ssl/certs/ca-certificates.crt" && !strings.Contains(built, strings.TrimSuffix(from, "/")) {
				t.Errorf("%s: nothing makes %s", name, from)
			}
		}
		if !installed {
			t.Errorf("%s: %s is not copied into it", name, program)
		}
		m := newMachine(t)
		for _, command := range [][]string{words(t, s["CMD"]), words(t, s["HEALTHCHECK"])[1:]} {
			m.must(0, append(command, "--help")...)
		}
		if check := words(t, s["HEALTHCHECK"])[0]; check != program {
			t.Errorf("%s: its health is asked by %s", name, check)
		}
		env := s.env()
		if env["HOLDFAST_REPOSITORY"] != s["VOLUME"][0] || !strings.HasSuffix(env["HOLDFAST_SERVE_LISTEN"], ":"+s["EXPOSE"][0]) || s["USER"][0] != "65532:65532" {
			t.Errorf("%s: %v, volume %v, port %v, user %v", name, env, s["VOLUME"], s["EXPOSE"], s["USER"])
		}
	}
}

// Services, volumes, ports and users of the compose file fit each other, the image
// and the program.
func TestPageDocker_TheComposeFileFits(t *testing.T) {
	t.Parallel()
	c, image := readCompose(t), readDockerfile(t)[""]
	holdfast, chroma, pod := c.Services["holdfast"], c.Services["chroma"], c.Services["pod"]
	if holdfast.Pid != "service:pod" || chroma.Pid != holdfast.Pid || chroma.User != image["USER"][0] || !strings.Contains(pod.Command, "chown "+chroma.User) {
		t.Errorf("the processes do not see each other, or have other users: %+v", c)
	}
	if !slices.Equal(holdfast.Volumes, pod.Volumes) || !slices.Contains(holdfast.Volumes, chroma.Volumes[0]) {
		t.Errorf("the volumes are %v, %v and %v", pod.Volumes, chroma.Volumes, holdfast.Volumes)
	}
	for _, v := range holdfast.Volumes {
		name, at, _ := strings.Cut(v, ":")
		if _, is := c.Volumes[name]; !is {
			t.Errorf("there is no volume %s", name)
		}
		if !strings.Contains(pod.Command, " "+at) {
			t.Errorf("nobody gives %s to its user", at)
		}
	}
	context := filepath.Join("../contrib/docker", holdfast.Build.Context)
	if _, err := os.Stat(filepath.Join(context, holdfast.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	known := map[string]bool{"HOLDFAST_SOURCES": true}
	for _, k := range config.Keys() {
		known[k.Env()] = true
	}
	for name := range holdfast.Environment {
		if !known[name] {
			t.Errorf("nothing reads %s", name)
		}
	}
	loaded, err := config.Load(config.Flags{NoFile: true}, environ(holdfast.Environment, image.env()))
	if err != nil {
		t.Fatal(err)
	}
	if data := loaded.Sources[0].Path; "chroma:"+data != chroma.Volumes[0] {
		t.Errorf("the data is %s, and the server's volume %s", data, chroma.Volumes[0])
	}
	published := []string{"127.0.0.1:8484:" + image["EXPOSE"][0]}
	for _, p := range loaded.Serve.ChromaProxies {
		_, port, _ := strings.Cut(p.Listen, ":")
		published = append(published, "127.0.0.1:"+port+":"+port)
		if p.Upstream != "http://chroma:8000" {
			t.Errorf("the proxy leads to %s", p.Upstream)
		}
	}
	if !slices.Equal(holdfast.Ports, published) {
		t.Errorf("published are %v, and it listens at %v", holdfast.Ports, published)
	}
	if holdfast.Grace <= loaded.Schedule.ShutdownTimeout+15*time.Second {
		t.Errorf("it is killed after %s", holdfast.Grace)
	}
}

// environ makes an environment of variables.
func environ(sets ...map[string]string) (out []string) {
	for _, set := range sets {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			out = append(out, name+"="+set[name])
		}
	}
	return out
}

// A container is the program as the images run it: as user 65532, with the settings
// of the images and of the compose file, on directories in the place of volumes.
type container struct {
	*machine
	places *strings.Replacer
	nobody *syscall.SysProcAttr
}

// command is a command in the container.
func (c *container) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, c.env, c.nobody
	return cmd
}

// holdfast runs it and gives what it prints.
func (c *container) holdfast(args string) string {
	c.t.Helper()
	cmd := c.command(binary, strings.Fields(args)...)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, is := errors.AsType[*exec.ExitError](err); is {
			stderr = string(exit.Stderr)
		}
		c.t.Fatalf("holdfast %s: %v\n%s%s", args, err, out, stderr)
	}
	return string(out)
}

// The commands of the page, in their order: tokens before anything listens, a backup
// by the API and one before a write through the proxy, and a restore that is refused
// while the server has the data open.
func TestPageDocker_CommandsWork(t *testing.T) {
	t.Parallel()
	p := openPage(t, dockerPage)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(upstream.Close)
	dir, err := os.MkdirTemp("", "container") // whose way is open to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	api, proxy := freePort(t), freePort(t)
	c := &container{
		machine: &machine{t: t, dir: dir},
		nobody:  &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}},
		places: strings.NewReplacer("/data", filepath.Join(dir, "data"), "/backups", filepath.Join(dir, "backups"),
			"0.0.0.0:8484", "127.0.0.1:"+api, "127.0.0.1:8484", "127.0.0.1:"+api, "0.0.0.0:8001", "127.0.0.1:"+proxy, "http://chroma:8000", upstream.URL),
	}
	if err := errors.Join(fixture.Unpack(c.path("data")), os.Mkdir(c.path("backups"), 0o700), os.Chmod(dir, 0o755), filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, 65532, 65532))
	})); err != nil {
		t.Fatal(err)
	}
	for _, one := range environ(readCompose(t).Services["holdfast"].Environment, readDockerfile(t)[""].env(), map[string]string{"HOME": "/backups", "HOLDFAST_SERVE_AUTH": "required"}) {
		c.env = append(c.env, c.places.Replace(one))
	}
	if out, err := c.command(binary, "serve").CombinedOutput(); err == nil || !strings.Contains(string(out), "holdfast token create") {
		t.Fatalf("without a token it ends with %v:\n%s", err, out)
	}

	inside := regexp.MustCompile(`^docker compose (?:run --rm holdfast|exec holdfast /holdfast) (.*)`)
	server := c.command("sleep", "300")
	token, played := "", 0
	for line := range strings.Lines(strings.Join(p.fenced("sh"), "")) {
		line = strings.TrimSpace(line)
		arguments := inside.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "docker build "), strings.HasPrefix(line, "docker compose build"), strings.HasPrefix(line, "cd "):
			continue // no Docker here
		case line == "docker compose up -d" && token != "" && server.Process == nil:
			c.starts(server)
			daemon := c.command(binary, "serve")
			c.starts(daemon)
			c.answers("health")
		case line == "docker compose up -d":
			continue // the same again
		case line == "docker compose stop chroma":
			if out, err := c.command(binary, "restore", "latest", "--yes").CombinedOutput(); err == nil || !strings.Contains(string(out), "held open by process") {
				t.Errorf("under a server a restore ends with %v:\n%s", err, out)
			}
			if err := server.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = server.Wait()
		case line == "docker compose start chroma":
			continue
		case strings.HasPrefix(line, "curl "):
			m := *c.machine
			m.env = []string{"TOKEN=" + token}
			made := answered[madeBackup](t, m.types(c.places.Replace(line)))
			contains(t, "list", c.holdfast("list"), made.Backup.Name)
			c.writes(proxy)
		case arguments != nil:
			printed := c.holdfast(arguments[1])
			if strings.HasPrefix(arguments[1], "token create") {
				token = strings.TrimSpace(printed)
			}
		default:
			t.Errorf("the test does not know how to play: %s", line)
			continue
		}
		played++
	}
	if played < 9 {
		t.Errorf("only %d commands of the page were played", played)
	}
}

// starts starts a process that ends with the test. It has the data open, as a server
// would.
func (c *container) starts(cmd *exec.Cmd) {
	c.t.Helper()
	data, err := os.Open(c.path("data", "chroma.sqlite3"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer data.Close()
	if cmd.Path != binary {
		cmd.Stdin = data
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	})
}

// answers waits until a command of the container succeeds.
func (c *container) answers(args ...string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.command(binary, args...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("holdfast %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// writes deletes a collection through the proxy, and wants it passed on.
func (c *container) writes(port string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodDelete, "http://127.0.0.1:"+port+"/api/v2/tenants/default_tenant/databases/default_database/collections/old", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusTeapot {
		c.t.Errorf("through the proxy a deletion is answered %s", answer.Status)
	}
}
