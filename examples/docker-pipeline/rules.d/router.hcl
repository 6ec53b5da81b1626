# The master's nginx sends each app's traffic to the serve nodes that run it:
# one upstream for each app. nginx.conf has the rest:
#
#   include /etc/nginx/conf.d/app-*.conf;
#   server { listen 80; location / { proxy_pass http://web; } }
rule "router" {
  description = "an upstream for each app"

  members { tags = { role = "serve" } }
  self { tags = { role = "master" } }

  template {
    source      = "nginx-upstream"
    for_each    = { for name, port in local.apps : name => [for m in members : m if m.tags["app-${name}"] != null] }
    destination = "/etc/nginx/conf.d/app-${each.key}.conf"
    vars        = { upstream = each.key, port = local.apps[each.key] }
  }

  check  = ["nginx", "-t", "-q"]
  reload = ["nginx", "-s", "reload"]

  guard { min_members = 0 } # an app that nobody runs is answered with 502
}
