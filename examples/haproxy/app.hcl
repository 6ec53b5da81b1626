# haproxy balances over every live app node.
#
# Start haproxy on both files, the one you write and the one muster writes:
#
#   haproxy -W -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/backends/app.cfg
#
# (Debian: CONFIG="/etc/haproxy/haproxy.cfg -f /etc/haproxy/backends" in
# /etc/default/haproxy.) A frontend of yours names it: default_backend app
#
# muster init writes it where it finds: haproxy

rule "app-backend" {
  description = "haproxy balances over every live app node"

  # Whom it is about. Patterns are for the whole value: "app|api" is both, and a
  # tag that holds a list takes `where = has_tag_item(member.tags.role, "app")`.
  members {
    tags = { role = "app" }
  }

  # backend: what a frontend names. port: where the members listen; one that has
  # a tag `port` says so itself. There are also weight_tag, mode ("tcp"),
  # balance ("leastconn") and check (false leaves the health checks out).
  template {
    source           = "haproxy-backend"
    destination      = "/etc/haproxy/backends/app.cfg"
    vars             = { backend = "app", port = 8080 }
    create_dest_dirs = true
  }

  # haproxy checks its main file and all that is beside the new one, before that
  # is put in place if that is possible. It is reloaded when it has new workers.
  check  = "haproxy"
  reload = "haproxy"

  # haproxy misses a reload that comes while it is still at the one before.
  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0 # an empty backend is valid: haproxy answers 503
  }
}
