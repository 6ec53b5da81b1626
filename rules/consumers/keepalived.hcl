locals {
  config = "/etc/keepalived/keepalived.conf"
}

check {
  command = ["keepalived", "-t", "-f", local.config]
}

reload {
  command = ["systemctl", "reload", "keepalived"]
}
