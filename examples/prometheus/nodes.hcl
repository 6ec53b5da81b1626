# Prometheus scrapes the node exporter of every member.
#
# examples/prometheus/prometheus.yml has the job that reads the targets.
#
#   file_sd_configs: [{files: [/etc/prometheus/muster/*.json]}]
#
# muster init writes it where it finds: prometheus, promtool

rule "node-targets" {
  description = "Prometheus scrapes every node"

  members {
    # A node that failed stays a target: that it is down is what the alert is
    # about. One that left does not.
    status   = ["alive", "failed"]
    draining = "include" # a node that takes no work is still there
  }

  # port: where the exporters listen; a member that has a tag `metrics_port` says
  # so itself. tags: those that become labels serf_tag_…; without it all do.
  # There is also labels, a dictionary of labels for all.
  template {
    source           = "prometheus-file-sd"
    destination      = "/etc/prometheus/muster/nodes.json"
    vars             = { port = 9100, tags = ["role"] }
    create_dest_dirs = true
  }

  # promtool checks the whole configuration with the new file in it. Prometheus
  # keeps its targets when it meets a file that is wrong, and takes up a new one
  # by itself: there is nothing to reload.
  check = "prometheus"

  # The last target stays, too: min_members = 0 would render an empty list.
  guard {
    max_loss = "50%" # losing more than half at once …
    hold     = "60s" # … is believed after a minute
  }
}
