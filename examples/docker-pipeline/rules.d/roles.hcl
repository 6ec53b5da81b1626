# role-check, a query: each node says how its role is doing.
rule "role-check-build" {
  on = ["query:role-check"]
  self { tags = { role = "build" } }
  respond {
    command = ["${local.bin}/role-check", "build"]
    env     = { CONTAINER_ENGINE = local.engine }
  }
}

rule "role-check-store" {
  on = ["query:role-check"]
  self { tags = { role = "store" } }
  respond {
    command = ["${local.bin}/role-check", "store"]
    env     = { REGISTRY = "${self.addr}:${self.tags.registry}" }
  }
}

rule "role-check-serve" {
  on = ["query:role-check"]
  self { tags = { role = "serve" } }
  respond {
    command = ["${local.bin}/role-check", "serve"]
    env     = { CONTAINER_ENGINE = local.engine }
  }
}

rule "role-check-master" {
  on = ["query:role-check"]
  self { tags = { role = "master" } }
  respond { command = ["${local.bin}/role-check", "master"] }
}

# assign, with NODE,ROLE as payload: that node takes on another role.
rule "assign" {
  on        = ["user:assign"]
  signature = "required"
  when      = split(",", event.payload)[0] == self.name
  run { command = ["${local.bin}/assign", trimprefix(event.payload, "${self.name},")] }
}
