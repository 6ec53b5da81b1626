# Varnish fetches from every live web node.
#
# default.vcl beside this file is what includes the director.

rule "web-director" {
  description = "Varnish fetches from every live web node"

  members {
    tags = { role = "web" }
  }

  template {
    source      = "varnish-directors"
    destination = "/etc/varnish/muster-web.vcl"
    vars        = { director = "web", port = 8080, probe = "/health" }
  }

  # Varnish compiles the new file alone, before anything is put in place.
  # varnishreload compiles the whole of it, and goes on with the old one if it
  # cannot. It keeps at most two of those before.
  check  = ["varnishd", "-C", "-f", staged["/etc/varnish/muster-web.vcl"]]
  reload = ["/usr/share/varnish/varnishreload", "-m", "2"]

  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0     # none: Varnish answers 503, or from its cache
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
