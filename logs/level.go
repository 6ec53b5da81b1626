package logs

import (
	"fmt"
	"log/slog"
	"strings"
)

// LevelTrace is Serf's level below debug.
const LevelTrace = slog.LevelDebug - 4

// LevelName spells a level as Serf does: TRACE, DEBUG, INFO, WARN or ERR.
func LevelName(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "TRACE"
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARN"
	}
	return "ERR"
}

// ParseLevel reads a level in Serf's or slog's spelling, in any case; empty
// means INFO, as Serf's monitor takes it.
func ParseLevel(text string) (slog.Level, error) {
	switch strings.ToLower(text) {
	case "trace":
		return LevelTrace, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "err", "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("there is no log level %q; it is trace, debug, info, warn or err", text)
}
