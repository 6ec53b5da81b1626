rule "web" {
  description = "nginx sends traffic to every live web node"

  members { tags = { role = "web" } }

  template {
    source      = "nginx-upstream"
    destination = "${local.dir}/nginx/web.conf"
    vars        = { upstream = "web", port = 8080 }
  }

  check  = concat(local.nginx, ["-t", "-q"])
  reload = concat(local.nginx, ["-s", "reload"])
}
