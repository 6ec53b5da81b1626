# Run these with: muster test examples/ssh
test "every live node has a host" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web" }, status = "left" },
  ]
  self = "web1"

  expect "ssh-hosts" {
    file "/etc/ssh/ssh_config.d/muster.conf" {
      contains = ["web1.serf", "fd00::2"]
      lacks    = ["web3"]
    }
  }
}
