# Run these with: muster test examples/dnsmasq
test "every live node has a name" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web" }, status = "left" },
  ]
  self = "web1"

  expect "names" {
    file "/etc/dnsmasq.hosts/addn/muster.hosts" {
      contains = ["web1.serf", "db1.serf", "web.role.serf"]
      lacks    = ["web3"]
    }
  }
}
