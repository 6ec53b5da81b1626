locals {
  config   = "/etc/haproxy/haproxy.cfg"
  pid_file = "/run/haproxy.pid"
}

# The new files beside the main configuration; or in its place, if that is one
# of them.
check {
  command = concat(["haproxy", "-c", "-f", lookup(staged, local.config, local.config)],
    flatten([for path, file in staged : ["-f", file] if path != local.config && can(regex("[.]cfg$", path))]))
}

reload {
  command = ["systemctl", "reload", "haproxy"]
}

# A master that is still reloading misses the signal to reload once more.
verify {
  workers = local.pid_file
}
