# nginx sends its requests to the members that say of themselves that they are a
# web server.
rule "web-upstream" {
  members { tags = { role = "web" } }

  template {
    source      = "nginx-upstream"
    destination = "/etc/nginx/conf.d/web-upstream.conf"
    vars        = { upstream = "web", port = 8080 }
  }

  check  = "nginx"
  reload = "nginx"
}
