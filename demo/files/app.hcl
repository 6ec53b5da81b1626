rule "app" {
  description = "haproxy balances over every live app node"

  members { tags = { role = "app" } }

  template {
    source      = "haproxy-backend"
    destination = "${local.dir}/haproxy/app.cfg"
    vars        = { backend = "app", port = 8080 }
  }

  # haproxy checks the new file beside its base before it is put in place.
  check = [local.haproxy, "-c", "-q", "-f", "${local.dir}/haproxy/base.cfg", "-f", staged["${local.dir}/haproxy/app.cfg"]]
}
