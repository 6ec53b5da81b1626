package main

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
	"muster/logs"
)

// A monitor sees levels that the log leaves out, and the log's level can
// change while it is in use.
func TestOpenLog(t *testing.T) {
	time := regexp.MustCompile(`(time=\S+|"time":"[^"]+",|^\S+ \S+) ?`)
	tests := []struct {
		format, journal string
		want            []string
	}{
		{"text", "", []string{`level=INFO msg=one rule=web`, `level=DEBUG msg=three rule=web`, `level=DEBUG msg=five rule=web`}},
		{"json", "8:1", []string{`{"level":"INFO","msg":"one","rule":"web"}`, `{"level":"DEBUG","msg":"three","rule":"web"}`, `{"level":"DEBUG","msg":"five","rule":"web"}`}},
		{"text", "8:1", []string{`<6>msg=one rule=web`, `<7>msg=three rule=web`, `<7>msg=five rule=web`}},
	}
	for _, test := range tests {
		t.Run(test.format+test.journal, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", test.journal)
			var out strings.Builder
			log, err := openLog(&out, config.Log{Level: slog.LevelInfo, Format: test.format})
			if err != nil {
				t.Fatal(err)
			}
			defer log.close()
			rule := log.With("rule", "web")
			rule.Info("one")
			rule.Debug("two")
			log.level.Set(slog.LevelDebug)
			rule.Debug("three")
			log.level.Set(slog.LevelError)
			monitor := log.lines.Subscribe(slog.LevelDebug, 10)
			defer monitor.Close()
			rule.Debug("four")
			log.level.Set(slog.LevelDebug)
			rule.Debug("five")
			var got []string
			for line := range strings.Lines(out.String()) {
				got = append(got, time.ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))
			}
			if test.journal != "" && test.format == "text" { // these have no time
				got = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			got = nil
			for range 4 {
				got = append(got, time.ReplaceAllString(<-monitor.C, ""))
			}
			want := []string{"[INFO] agent: one rule=web", "[DEBUG] agent: three rule=web", "[DEBUG] agent: four rule=web", "[DEBUG] agent: five rule=web"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("monitor (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenLogSyslog(t *testing.T) {
	_, err := openLog(new(strings.Builder), config.Log{Format: "text", Syslog: config.Syslog{Enabled: true, Facility: "LOCAL9"}})
	if _, want := logs.ParseFacility("LOCAL9"); err == nil || err.Error() != want.Error() {
		t.Errorf("got  %v\nwant %v", err, want)
	}
}
