# nginx sends its traffic to every live web node.
#
# In nginx's own configuration, at the http level:
#
#   include /etc/nginx/conf.d/*.conf;
#   server { location / { proxy_pass http://web; } }
#
# muster init writes it where it finds: nginx

rule "web-upstream" {
  description = "nginx sends traffic to every live web node"

  # Whom it is about. Patterns are for the whole value: "web|api" is both, and a
  # tag that holds a list takes `where = has_tag_item(member.tags.role, "web")`.
  members {
    tags = { role = "web" }
  }

  # upstream: what proxy_pass names. port: where the members listen; one that
  # has a tag `port` says so itself. There are also weight_tag, max_fails,
  # fail_timeout, method ("least_conn"), zone and keepalive.
  template {
    source      = "nginx-upstream"
    destination = "/etc/nginx/conf.d/web-upstream.conf"
    vars        = { upstream = "web", port = 8080 }
  }

  # The whole configuration is checked with the new file in it, before the file
  # is put in place if that is possible, and before any reload in any case. nginx
  # is reloaded when it has new workers; until then the reload has not worked.
  check  = "nginx"
  reload = "nginx"

  # nginx drops some keep-alive connections at a reload. Members that come or
  # go together cause one: wait for 200 ms of quiet, for two seconds at most, and
  # reload once a second at most.
  wait  = "200ms:2s"
  every = "1s"

  guard {
    min_members = 1     # never fewer; 0 would render a server that is down
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
