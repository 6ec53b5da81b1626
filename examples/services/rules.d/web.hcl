# nginx sends its traffic to every published web service, on whatever port.
#
# A node that offers one says so itself: in its muster.hcl, as in ../agent/muster.hcl, or
# with `muster service publish Shop web 8080`. See docs/services.md.
#
# In nginx's own configuration, at the http level:
#
#   include /etc/nginx/conf.d/*.conf;
#   server { location / { proxy_pass http://published; } }

rule "published-web" {
  description = "nginx sends traffic to every published web service"

  # A service is its member's word: what has no place in the file is refused,
  # and the member left out and reported. `port` takes nothing but a port.
  template {
    destination = "/etc/nginx/conf.d/published.conf"
    contents    = <<-T
      upstream published {
      {{ range services "web" }}    server {{ .IP }}:{{ port .Port }};  # {{ .Member.Name }}
      {{ end }}}
    T
  }

  check  = "nginx"
  reload = "nginx"

  # A service that comes or goes is seen at once; several together cause one
  # reload. The guard counts the members that offer one: when the last check
  # fails, the last file stays.
  wait  = "200ms:2s"
  every = "1s"

  guard {
    min_members = 1
  }
}
