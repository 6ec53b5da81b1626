# nginx passes NODE.nodes.example.org on to the node of that name.
#
# In nginx's own configuration, at the http level:
#
#   include /etc/nginx/conf.d/*.conf;
#   server {
#     server_name *.nodes.example.org;
#     location / {
#       if ($node = "") { return 404; }
#       proxy_pass http://$node;
#     }
#   }

rule "node-map" {
  description = "nginx knows every live node by its name"

  members {
    tags = { role = "web" }
  }

  template {
    source      = "nginx-map"
    destination = "/etc/nginx/conf.d/node-map.conf"
    vars        = { variable = "$node", domain = "nodes.example.org", port = 8080 }
  }

  check  = "nginx"
  reload = "nginx"

  wait  = "200ms:2s"
  every = "1s"

  guard {
    min_members = 0     # none: every name answers 404
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
