package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// services sees what is installed and writes what goes with it.
func (s *stage) services(ctx context.Context) error {
	if !s.cfg.Bare {
		s.nginx, s.haproxy = find("nginx"), find("haproxy")
	}
	return errors.Join(s.furnishNginx(ctx), s.furnishHaproxy(ctx), s.writeRules())
}

// nginxArgs is nginx with all that it needs to find its own files and no
// other's: its pid, its log and its temporary directories are in the prefix.
func (s *stage) nginxArgs() []string {
	return []string{s.nginx, "-e", s.path("nginx/error.log"), "-p", s.path("nginx"), "-c", "nginx.conf"}
}

// furnishNginx writes nginx's own configuration and an upstream that is empty
// as yet. An nginx that does not take them is done without.
func (s *stage) furnishNginx(ctx context.Context) error {
	if s.nginx == "" {
		return nil
	}
	err := errors.Join(s.install("nginx.conf", "nginx/nginx.conf", s.listening), s.install("web.conf", webConf, asItIs))
	if err != nil {
		return err
	}
	if why := try(ctx, append(s.nginxArgs(), "-t", "-q")...); why != "" {
		s.say("%s does not take the demo's configuration, so it is not run:", s.nginx)
		s.indent(wrap(why, 95))
		s.say("")
		s.nginx = ""
		return os.Remove(s.path(webConf))
	}
	return nil
}

// furnishHaproxy writes the base that haproxy checks its backend beside. An
// haproxy that does not take it with an empty backend is not asked.
func (s *stage) furnishHaproxy(ctx context.Context) error {
	if s.haproxy == "" {
		return nil
	}
	empty := s.path("haproxy/empty.cfg")
	err := errors.Join(s.install("haproxy.cfg", "haproxy/base.cfg", s.listening), os.WriteFile(empty, []byte("backend app\n"), 0o644))
	if err != nil {
		return err
	}
	if try(ctx, s.haproxy, "-c", "-q", "-f", s.path("haproxy/base.cfg"), "-f", empty) != "" {
		s.haproxy = ""
	}
	return os.Remove(empty)
}

// startNginx starts nginx and waits until it listens. As its master has
// workers to end, SIGTERM tells it when this process dies.
func (s *stage) startNginx(ctx context.Context) error {
	p, err := start("nginx", s.path("nginx/error.log"), syscall.SIGTERM, s.nginxArgs()...)
	if err != nil {
		return err
	}
	s.children["nginx"] = p
	return s.until(ctx, "nginx listens", func() bool {
		conn, err := net.DialTimeout("tcp", s.sites[lb].serviceAt(), time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// url is where nginx serves.
func (s *stage) url() string { return fmt.Sprintf("http://%s/", s.sites[lb].serviceAt()) }

// page is where lb shows how everything is.
func (s *stage) page() string { return fmt.Sprintf("http://%s/", s.sites[lb].pageAt()) }
