locals {
  config   = "/etc/haproxy/haproxy.cfg"
  pid_file = "/run/haproxy.pid"
}

# The whole configuration: the main file, and the directories in which muster's
# files are, as haproxy takes them; a file beside the main one by itself.
check {
  mode = "auto"
  command = concat(["haproxy", "-c", "-f", local.config], flatten([
    for part in distinct([
      for path in keys(staged) :
      regexreplace(path, "/[^/]*$", "") == regexreplace(local.config, "/[^/]*$", "") ? path : regexreplace(path, "/[^/]*$", "")
    ]) : ["-f", part] if part != local.config
  ]))
}

reload {
  command = ["systemctl", "reload", "haproxy"]
}

# A master that is still reloading misses the signal to reload once more.
verify {
  workers = local.pid_file
}
