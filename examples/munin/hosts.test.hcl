# Run these with: muster test examples/munin
test "every live member is watched" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web" }, status = "left" },
  ]
  self = "web1"

  expect "munin-hosts" {
    file "/etc/munin/munin-conf.d/muster.conf" {
      contains = ["[cluster;web1]", "[fd00::2]"]
      lacks    = ["web3"]
    }
  }
}
