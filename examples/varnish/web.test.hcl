# Run these with: muster test examples/varnish
test "every live web node is a backend" {
  members = [
    { name = "cache1", addr = "10.0.0.9", tags = { role = "cache" } },
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "10.0.0.2", tags = { role = "web" }, status = "left" },
    { name = "web3.example", addr = "fd00::3", tags = { role = "web", port = "8081" } },
  ]
  self = "cache1"

  expect "web-director" {
    file "/etc/varnish/muster-web.vcl" {
      contains = ["backend web_web1 {", "backend web_web3_example {", ".host = \"fd00::3\";", ".port = \"8081\";", "web.add_backend(web_web3_example);"]
      lacks    = ["web2", "cache1"]
    }
  }
}

test "without web nodes there is a backend that is none" {
  members = [{ name = "cache1", addr = "10.0.0.9", tags = { role = "cache" } }]
  self    = "cache1"

  expect "web-director" {
    file "/etc/varnish/muster-web.vcl" {
      contains = ["backend web-none none;"]
      lacks    = ["add_backend"]
    }
  }
}
