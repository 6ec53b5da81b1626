locals {
  config = "/etc/prometheus/prometheus.yml"
}

# promtool looks into the files that the configuration names. There is nothing
# to reload: Prometheus watches them.
check {
  command = ["promtool", "check", "config", local.config]
}
