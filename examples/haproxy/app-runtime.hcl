# haproxy balances over every live api node, and is told over its socket who
# they are: it is reloaded only where it must be.
#
# Its configuration needs, in the section global,
#
#   stats socket /run/haproxy/admin.sock user haproxy group haproxy mode 660 level admin
#
# and it is started on both files, as for app.hcl.

rule "api-backend" {
  description = "haproxy balances over every live api node, without reloads"

  members {
    tags = { role = "api" }
  }

  template {
    source           = "haproxy-backend"
    destination      = "/etc/haproxy/backends/api.cfg"
    vars             = { backend = "api", port = 8080, weight_tag = "weight" }
    create_dest_dirs = true
  }

  check  = "haproxy"
  reload = "haproxy"

  # Servers that come, go, move or weigh more need no reload. One that goes may
  # finish what it is at.
  runtime = "/run/haproxy/admin.sock"
  drain   = "10s"

  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0 # an empty backend is valid: haproxy answers 503
  }
}
