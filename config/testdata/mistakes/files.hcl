cluster {
  config_dir   = 5
  config_file  = ["absent.json", "../serf/10-base.json"]
  keyring_file = "/nonexistent/keyring"
}
