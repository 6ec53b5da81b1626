cluster {
  node_name          = 5
  bind               = ["127.0.0.1"]
  advertise          = {}
  retry_interval     = 5
  broadcast_timeout  = "5"
  protocol           = "5"
  rejoin_after_leave = "yes"
  start_join         = "127.0.0.1"
  retry_join         = ["127.0.0.1", 5, ""]
  tags               = { role = [["web"]], gone = null, "a" = 1, "a" = 2 }
  tags_file          = "${HOME}/tags.json"
  snapshot_path      = file("snapshot")
  log_level          = "wran"
  reconnect_timeout  = "-5s"
}

http {
  mode = 0660
}

http {
  mode = "0999"
}
