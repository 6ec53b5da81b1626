# Varnish fetches from every live web node.
#
# In Varnish's own default.vcl:
#
#   include "/etc/varnish/muster-web.vcl";
#   sub vcl_recv { set req.backend_hint = web.backend(); }
#
# muster init writes it where it finds: varnishd

rule "web-director" {
  description = "Varnish fetches from every live web node"

  # Whom it is about. Patterns are for the whole value: "web|api" is both, and a
  # tag that holds a list takes `where = has_tag_item(member.tags.role, "web")`.
  members {
    tags = { role = "web" }
  }

  # director: what your VCL names. port: where the members listen; one that has a
  # tag `port` says so itself. probe: the URL that tells whether one is up. There
  # are also kind ("random", "hash" …), weight_tag, host_header and timeouts.
  template {
    source      = "varnish-directors"
    destination = "/etc/varnish/muster-web.vcl"
    vars        = { director = "web", port = 8080, probe = "/health" }
  }

  # Varnish compiles its whole configuration with the new file in it, before the
  # file is put in place if that is possible. varnishreload compiles it again, goes
  # on with the old one if it cannot, and keeps at most two of those before.
  check  = "varnish"
  reload = "varnish"

  # Each reload compiles. Members that come or go together cause one: wait for
  # 200 ms of quiet, for two seconds at most, and reload once in two seconds.
  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0     # none: Varnish answers 503, or from its cache
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
