cluster {
  config_dir = "serf"

  node_name               = "web1"
  bind                    = "127.0.0.1:17946"
  advertise               = "127.0.0.2:17946"
  interface               = "lo"
  start_join              = ["127.0.0.3", "127.0.0.4:17946"]
  retry_join              = ["seed.example"]
  retry_interval          = "10s"
  retry_max_attempts      = 7
  discover                = "home"
  replay_on_join          = true
  encrypt_key             = "c2l4dGVlbiBieXRlcyBoZQ=="
  tags                    = { role = ["web", "db"], weight = 5, spare = false, "odd name" = "${1 + 1}" }
  tags_file               = "state/tags.json"
  snapshot_path           = "/var/lib/muster/snapshot"
  rejoin_after_leave      = true
  profile                 = "local"
  protocol                = 4
  leave_on_terminate      = false
  skip_leave_on_interrupt = true
  enable_compression      = false
  disable_coordinates     = true
  disable_name_resolution = true
  reconnect_interval      = "31s"
  reconnect_timeout       = "25h"
  tombstone_timeout       = "26h"
  broadcast_timeout       = "2s"

  user_event_size_limit     = 600
  query_size_limit          = 1100
  query_response_size_limit = 1200

  rpc_addr        = "unix:rpc.sock"
  rpc_auth        = "open sesame"
  event_handlers  = ["env | grep SERF", "member-join,user:deploy=deploy.sh --all"]
  handlers_dir    = "handlers"
  handler_timeout = "45s"
  trusted_keys    = "trusted.pub"
  event_max_age   = "90s"
  insecure_gossip = true

  statsd_addr     = "127.0.0.1:8125"
  statsite_addr   = "localhost:8126"
  enable_syslog   = true
  syslog_facility = "daemon"

  log_level = "ERR"

  mdns {
    interface    = "lo"
    disable_ipv4 = false
    disable_ipv6 = true
  }
}

rules {
  dir    = "rules"
  resync = "90s"
}

nodes {
  every     = "2s"
  threshold = 12
  rootfs    = "/host"
}

http {
  socket = "/run/muster/api.sock"
  mode   = "0600"
  group  = "adm"

  address         = "127.0.0.1:8080"
  hosts           = ["muster.example.org", "pi"]
  read            = "open"
  token_file      = "token"
  read_token_file = "/etc/muster/read-token"
  tls_cert        = "http.crt"
  tls_key         = "http.key"
}

log {
  level  = "debug"
  format = "json"
}

services {
  cloud = "guifi"
}

service "shop" {
  type        = "web"
  description = "The shop"
  port        = 8080
  txt         = "path=/ tls=1"
  device      = "eth0"
  ip          = "192.0.2.7"
  check       = ["curl", "-fsS", "http://127.0.0.1:8080/"]
  user        = "nobody"
  interval    = "20s"
  timeout     = "3s"
  failures    = 2
  passes      = 4
}

service "dns" {
  port = 53
}

state {
  dir = "../state"
}
