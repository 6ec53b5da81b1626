# Run these with: muster test examples/docker-pipeline/rules.d
test "a build node builds what somebody trusted asks for" {
  members = [
    { name = "b1", addr = "10.0.0.1", tags = { role = "build" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" } },
  ]
  self = "b1"
  event {
    name    = "compile"
    payload = "https://git.example.com/apps/web"
    signer  = "alice"
  }
  expect "compile" { runs = [["/usr/local/lib/docker-pipeline/compile", "https://git.example.com/apps/web"]] }
  expect "pull" {}
}

test "nobody builds what nobody signed" {
  members = [
    { name = "b1", addr = "10.0.0.1", tags = { role = "build" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" } },
  ]
  self = "b1"
  event {
    name    = "compile"
    payload = "https://git.example.com/apps/web"
  }
  expect "compile" { runs = [] }
}

test "nor without a registry" {
  members = [
    { name = "b1", addr = "10.0.0.1", tags = { role = "build" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" }, status = "failed" },
  ]
  self = "b1"
  event {
    name    = "compile"
    payload = "https://git.example.com/apps/web"
    signer  = "alice"
  }
  expect "compile" { runs = [] }
}

test "a serve node pulls, and runs what it is called on to run" {
  members = [
    { name = "n1", addr = "10.0.0.3", tags = { role = "serve" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" } },
  ]
  self = "n1"
  event {
    name    = "pull"
    payload = "web:v1"
  }
  expect "pull" { runs = [["/usr/local/lib/docker-pipeline/pull", "web:v1"]] }
  expect "run" {}
}

test "run is for the node that it names" {
  members = [
    { name = "n1", addr = "10.0.0.3", tags = { role = "serve" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" } },
  ]
  self = "n1"
  event {
    name    = "run"
    payload = "n1,web:v1"
  }
  expect "run" { runs = [["/usr/local/lib/docker-pipeline/run", "web:v1"]] }
}

test "run is not for another node" {
  members = [
    { name = "n1", addr = "10.0.0.3", tags = { role = "serve" } },
    { name = "s1", addr = "10.0.0.2", tags = { role = "store", registry = "5000" } },
  ]
  self = "n1"
  event {
    name    = "run"
    payload = "n2,web:v1"
  }
  expect "run" { runs = [] }
}

test "containers are disabled and deleted on every serve node" {
  members = [{ name = "n1", addr = "10.0.0.3", tags = { role = "serve" } }]
  self    = "n1"
  event {
    name    = "disable-container"
    payload = "web"
    signer  = "alice"
  }
  expect "disable-container" { runs = [["/usr/local/lib/docker-pipeline/disable-container", "web"]] }
  expect "delete-container" {}
}

test "or on one" {
  members = [{ name = "n1", addr = "10.0.0.3", tags = { role = "serve" } }]
  self    = "n1"
  event {
    name    = "delete-container"
    payload = "n1,web"
    signer  = "alice"
  }
  expect "delete-container" { runs = [["/usr/local/lib/docker-pipeline/delete-container", "web"]] }
}

test "an agent that has started says what runs on its node" {
  members = [{ name = "n1", addr = "10.0.0.3", tags = { role = "serve" } }]
  self    = "n1"
  event {
    type   = "member-join"
    member = "n1"
  }
  expect "advertise" { runs = [["/usr/local/lib/docker-pipeline/advertise"]] }
}

test "each role answers for itself" {
  members = [{ name = "n1", addr = "10.0.0.3", tags = { role = "serve" } }]
  self    = "n1"
  event {
    type = "query"
    name = "role-check"
  }
  expect "role-check-serve" { runs = [["/usr/local/lib/docker-pipeline/role-check", "serve"]] }
  expect "role-check-build" {}
  expect "role-check-store" {}
  expect "role-check-master" {}
}

test "a node takes on another role" {
  members = [{ name = "n1", addr = "10.0.0.3" }]
  self    = "n1"
  event {
    name    = "assign"
    payload = "n1,build"
    signer  = "alice"
  }
  expect "assign" { runs = [["/usr/local/lib/docker-pipeline/assign", "build"]] }
}

test "the router follows the apps" {
  members = [
    { name = "m1", addr = "10.0.0.9", tags = { role = "master" } },
    { name = "n1", addr = "10.0.0.3", tags = { role = "serve", app-web = "8080" } },
    { name = "n2", addr = "10.0.0.4", tags = { role = "serve", app-web = "8080", app-api = "8081" }, status = "failed" },
  ]
  self = "m1"
  expect "router" {
    file "/etc/nginx/conf.d/app-web.conf" {
      contains = ["upstream web {", "server 10.0.0.3:8080;"]
      lacks    = ["10.0.0.4"]
    }
    file "/etc/nginx/conf.d/app-api.conf" {
      contains = ["upstream api {"]
      lacks    = ["10.0.0.3", "10.0.0.4"]
    }
  }
}
