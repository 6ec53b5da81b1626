locals {
  config = "/etc/varnish/default.vcl"
  name   = "" # of the instance, or its directory: varnishd's -n
}

# It compiles the whole configuration. The path is absolute: varnishd looks for
# others in directories of its own.
check {
  command = ["varnishd", "-C", "-f", local.config]
}

# It compiles and loads, and fails if it cannot; the unit's own reload does the
# same, but keeps every configuration there ever was in memory.
reload {
  command = concat(["/usr/share/varnish/varnishreload", "-m", "2"], flatten([for n in [local.name] : ["-n", n] if n != ""]))
}
