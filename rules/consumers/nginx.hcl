locals {
  config   = "/etc/nginx/nginx.conf"
  pid_file = "/run/nginx.pid"
}

check {
  command = ["nginx", "-t", "-q", "-c", local.config]
}

reload {
  command = ["nginx", "-s", "reload", "-c", local.config]
}

# nginx says that all is well once its master has got the signal. A master that
# cannot use the new configuration keeps its workers.
verify {
  workers = local.pid_file
}
