# Run these with: muster test examples/ansible
test "every live member is a host" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web" }, status = "left" },
  ]
  self = "web1"

  expect "ansible-hosts" {
    file "/etc/ansible/inventory/muster" {
      contains = ["web1 ansible_host=10.0.0.1", "[role_db]"]
      lacks    = ["web3"]
    }
  }
}
