locals {
  config = "/etc/varnish/default.vcl"
}

# It compiles the whole configuration.
check {
  command = ["varnishd", "-C", "-f", local.config]
}

reload {
  command = ["systemctl", "reload", "varnish"]
}
