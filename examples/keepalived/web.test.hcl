# Run these with: muster test examples/keepalived
test "every live web node is a real server" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "10.0.0.2", tags = { role = "web" }, status = "failed" },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web", weight = "5" } },
    { name = "web4", addr = "10.0.0.3", tags = { role = "web" } },
    { name = "web5", addr = "fd00::5", tags = { role = "web" } },
  ]
  self = "lb1"

  expect "web-servers" {
    file "/etc/keepalived/conf.d/web.conf" {
      contains = ["virtual_server 10.0.0.100 80 {", "real_server 10.0.0.1 80 {", "real_server 10.0.0.3 80 {", "weight 5", "# web4 is left out"]
      lacks    = ["10.0.0.9", "10.0.0.2", "fd00"]
    }
  }
}

test "without web nodes the virtual server stays" {
  members = [{ name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } }]
  self    = "lb1"

  expect "web-servers" {
    file "/etc/keepalived/conf.d/web.conf" {
      contains = ["virtual_server 10.0.0.100 80 {", "alpha", "real_server 127.0.0.1 80 {"]
    }
  }
}
