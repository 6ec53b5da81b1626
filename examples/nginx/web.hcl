# nginx sends its traffic to every live web node.
#
# In nginx's own configuration, at the http level:
#
#   include /etc/nginx/conf.d/*.conf;
#   server { location / { proxy_pass http://web; } }

rule "web-upstream" {
  description = "nginx sends traffic to every live web node"

  members {
    tags = { role = "web" }
  }

  template {
    source      = "nginx-upstream"
    destination = "/etc/nginx/conf.d/web-upstream.conf"
    vars        = { upstream = "web", port = 8080 }
  }

  # The file is put in place, the whole configuration is checked, and the file
  # is put back if nginx does not like it: before any reload.
  check  = ["nginx", "-t", "-q"]
  reload = ["nginx", "-s", "reload"]

  # nginx drops some keep-alive connections at a reload. Members that come or
  # go together cause one.
  wait  = "200ms:2s"
  every = "1s"

  guard {
    min_members = 1     # never fewer; 0 would render a server that is down
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
