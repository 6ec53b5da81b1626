# Run these with: muster test examples/hosts
test "every live node has a name" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1.example", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", status = "left" },
    { name = "localhost", addr = "10.0.0.6" },
    { name = "www.example.com", addr = "10.0.0.7" },
  ]
  self = "web1"

  expect "hosts" {
    file "/etc/hosts" {
      contains = ["10.0.0.1 web1.serf", "fd00::2 db1.example.serf", "10.0.0.7 www.example.com.serf"]
      lacks    = ["web3", "localhost", "10.0.0.6", "example.com\n"]
    }
  }
}
