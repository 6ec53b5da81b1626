# Run these with: muster test examples/nginx
test "traffic goes to the live web nodes" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "10.0.0.2", tags = { role = "web" }, status = "failed" },
    { name = "web3", addr = "fd00::3", tags = { role = "web" } },
  ]
  self = "lb1"

  expect "web-upstream" {
    file "/etc/nginx/conf.d/web-upstream.conf" {
      equals = file("golden/web-upstream.conf")
    }
  }
}

test "every live web node has a name" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "fd00::2", tags = { role = "web", port = "8081" } },
    { name = "WEB1", addr = "10.0.0.6", tags = { role = "web" } },
  ]
  self = "lb1"

  expect "node-map" {
    file "/etc/nginx/conf.d/node-map.conf" {
      contains = ["map $host $node {", "web1.nodes.example.org 10.0.0.1:8080;", "web2.nodes.example.org [fd00::2]:8081;"]
      lacks    = ["lb1", "10.0.0.6"]
    }
  }
}
